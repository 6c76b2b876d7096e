/* Request headers in the form libcurl wants them: built once, shared by all requests that send the same,
 * counted. */
#ifndef LURCHER_NET_HEADER_LIST_H
#define LURCHER_NET_HEADER_LIST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct header_list header_list;

/* An empty list with one reference. NULL: out of memory. */
header_list *header_list_new(void);

/* Adds one line; name and value must have been checked (head.h). Not after header_list_lines. False: out of
 * memory. */
bool header_list_add(header_list *h, const char *name, size_t name_length, const char *value,
                     size_t value_length);

/* Adds one line that is for a proxy only: with CONNECT, it does not go through the tunnel. */
bool header_list_add_for_proxy(header_list *h, const char *name, size_t name_length, const char *value,
                               size_t value_length);

/* What to hand to CURLOPT_PROXYHEADER: valid as long as the list. NULL: none. */
struct curl_slist *header_list_lines_for_proxy(header_list *h);

/* What to hand to CURLOPT_HTTPHEADER, for a request with or without body: valid as long as the list. With a
 * body, the content type and "Expect" that libcurl would add of its own are kept out, but for
 * `expect_continue`. */
struct curl_slist *header_list_lines(header_list *h, bool with_body, bool expect_continue);

/* The bytes of all names and values, and `per_line` for each line; without those for a proxy. */
size_t header_list_size(const header_list *h, size_t per_line);

/* True when the list has a line of that name, which must be one that libcurl knows ("Host"). */
bool header_list_has(const header_list *h, const char *name);

void header_list_ref(header_list *h);
void header_list_unref(header_list *h);

#endif
