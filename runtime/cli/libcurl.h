/* libcurl, which is loaded when the first client is made: it brings twenty libraries with it, and to load
 * them takes half of the time of a command that sends nothing. The command has functions of libcurl's names,
 * which the library is linked with there; each calls the one that was loaded. */
#ifndef LURCHER_CLI_LIBCURL_H
#define LURCHER_CLI_LIBCURL_H

#include <stdbool.h>

/* False: it is not there, and why has been printed. curl_global_init calls it; before a process gives up its
 * right to read files it has to be called itself. */
bool libcurl_load(void);

#endif
