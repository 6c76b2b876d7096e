/* The children of this process, over all runtimes: when it calls exit() they are told to end, and killed
 * after a second. Any thread. */
#ifndef LURCHER_CORE_PROCESS_REGISTRY_H
#define LURCHER_CORE_PROCESS_REGISTRY_H

#include <sys/types.h>

/* A child that leads its process group. */
void process_registry_add(pid_t child);

/* Kills them all, for a process that ends by _exit. Any thread, any signal handler. */
void process_registry_kill(void);

/* It was waited for. */
void process_registry_remove(pid_t child);

#endif
