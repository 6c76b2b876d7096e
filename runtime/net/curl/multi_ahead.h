/* TLS sessions of HTTP/2 connections that read ahead. OpenSSL asks the socket twice for each record, for its
 * head and for the rest. One that reads ahead takes all that is there at once: a seventh of the system calls
 * where many short answers come over one connection. What it holds then, neither libcurl nor the socket tells
 * of, so the multi calls libcurl until nothing more comes. */
#ifndef LURCHER_NET_MULTI_AHEAD_H
#define LURCHER_NET_MULTI_AHEAD_H

#include "net/curl/multi.h"

/* The HTTP/2 connection of `easy` has that local port: its session reads ahead from now on. May be called by
 * libcurl's callbacks. */
void multi_read_ahead(multi *m, CURL *easy, int local_port);

/* More may be had from its session: something came since this was last asked, and it is not empty. */
bool multi_has_more(watcher *w);

#endif
