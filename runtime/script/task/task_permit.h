/* lur_options.permit, as bindings ask for it. */
#ifndef LURCHER_SCRIPT_TASK_PERMIT_H
#define LURCHER_SCRIPT_TASK_PERMIT_H

#include "core/permit.h"

#include <lua.h>

struct lur_runtime;

/* Sets lur_runtime.permit from the options. */
void task_permit_open(struct lur_runtime *rt);

/* What is asked; NULL: everything is allowed. */
const permit *task_permit(lua_State *L);

/* Asks for the running task. False: `e` is the refusal. */
bool task_permits(lua_State *L, const permit_request *request, error *e);

/* What happens to a path. */
enum {
  TASK_READS = 1,
  TASK_WRITES = 2,
  TASK_KEEPS_LINK = 4 /* to what its last name is itself, if that is a link: it is removed or renamed */
};

/* Asks for the path at a stack index, and puts one in its place that leads nowhere else
 * (core/file/guarded.h). Returns 0, or 2 for nil and an error that were pushed. Can raise. */
int task_refuses_path(lua_State *L, int index, unsigned use);

#endif
