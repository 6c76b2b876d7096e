#pragma once

#include <lua.h>

/* hung_watch(seconds, text), hung_watch(): ends the process, with status 1, when a task holds the loop beyond
 * these seconds: no task could end it then, and compiled code calls no hook. `text` says whose fault it is,
 * for standard error. One watch at a time: for the command that runs specs. */
int hung_watch(lua_State *L);
