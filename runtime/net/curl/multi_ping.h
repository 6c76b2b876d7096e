/* A PING frame of ours over an HTTP/2 connection of libcurl's: it takes no stream, is no request, and each
 * server answers it. libcurl 7.88 itself has no way to send one. */
#ifndef LURCHER_NET_MULTI_PING_H
#define LURCHER_NET_MULTI_PING_H

#include "net/curl/multi.h"

/* Sends it over the connection of `easy`, which runs; its TLS session reads ahead (multi_ahead.h), or it has
 * none. False: not now, since part of another frame may not be sent yet, or its socket is not known. Not from
 * within a libcurl callback. */
bool multi_ping(multi *m, CURL *easy, int local_port);

#endif
