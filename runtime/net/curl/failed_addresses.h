/* Addresses that did not answer lately: they are tried last. */
#ifndef LURCHER_NET_FAILED_ADDRESSES_H
#define LURCHER_NET_FAILED_ADDRESSES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { MAX_FAILED_ADDRESSES = 32 };

/* A socket's address, as far as names have them: IPv4 or IPv6, with the port. Others stay empty. */
typedef struct {
  unsigned length;
  struct sockaddr_in6 bytes;
} failed_address;

/* The last of them; zeroed: none. */
typedef struct {
  struct {
    failed_address address;
    uint64_t until; /* nanoseconds of the loop */
  } entries[MAX_FAILED_ADDRESSES];
  unsigned next;
} failed_addresses;

failed_address failed_address_of(const struct sockaddr *address, unsigned length);

void failed_addresses_add(failed_addresses *f, const failed_address *address, uint64_t now);
bool failed_addresses_has(const failed_addresses *f, const failed_address *address, uint64_t now);

#endif
