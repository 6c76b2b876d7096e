/* libedit, which is loaded when the prompt starts: scripts do not pay for it. */
#ifndef LURCHER_CLI_LIBEDIT_H
#define LURCHER_CLI_LIBEDIT_H

#include <histedit.h>
#include <stdbool.h>

#define LIBEDIT_FUNCTIONS(F)                                                                                 \
  F(el_init)                                                                                                 \
  F(el_end)                                                                                                  \
  F(el_reset)                                                                                                \
  F(el_gets)                                                                                                 \
  F(el_set)                                                                                                  \
  F(el_wline)                                                                                                \
  F(el_winsertstr)                                                                                           \
  F(el_resize)                                                                                               \
  F(history_init)                                                                                            \
  F(history_end)                                                                                             \
  F(history)

typedef struct {
#define LIBEDIT_POINTER(name) __typeof__(&name) name;
  LIBEDIT_FUNCTIONS(LIBEDIT_POINTER)
#undef LIBEDIT_POINTER
} libedit_functions;

extern libedit_functions libedit;

/* False: it is not there, and why has been printed. */
bool libedit_load(void);

#endif
