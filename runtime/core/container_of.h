/* From a member to the struct that holds it: for callbacks that get a timer, an operation, a list_link… */
#ifndef LURCHER_CORE_CONTAINER_OF_H
#define LURCHER_CORE_CONTAINER_OF_H

#include <stddef.h>

/* The `type` whose `member` the pointer points to; does not compile for a pointer of another type. */
#define container_of(pointer, type, member)                                                                  \
  ((type *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))

#endif
