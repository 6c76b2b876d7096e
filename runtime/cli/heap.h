/* The memory of the process. */
#ifndef LURCHER_CLI_HEAP_H
#define LURCHER_CLI_HEAP_H

/* Call it before anything else: it serves what is allocated later. */
void heap_prepare(void);

#endif
