/* Which addresses lead to this machine or its networks, in every form that stands for one of them. */
#include "lurcher.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char *const private[] = {
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.1",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001::1",
    "2001:db8::1",
    "100::1",
};

static const char *const open[] = {
    "1.1.1.1",         "8.8.8.8",         "9.255.255.255",        "11.0.0.1",       "100.63.255.255",
    "100.128.0.1",     "128.0.0.1",       "169.253.1.1",          "172.15.0.1",     "172.32.0.1",
    "192.167.1.1",     "198.20.0.1",      "223.255.255.1",        "::ffff:8.8.8.8", "64:ff9b::808:808",
    "2002:808:808::1", "2606:4700::1111", "2001:4860:4860::8888",
};

static int is_private(const char *text)
{
  struct sockaddr_storage a;
  memset(&a, 0, sizeof a);
  a.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
  void *at = a.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&a)->sin_addr
                                    : (void *)&((struct sockaddr_in6 *)&a)->sin6_addr;
  check(inet_pton(a.ss_family, text, at) == 1);
  return lur_address_is_private((const struct sockaddr *)&a);
}

int main(void)
{
  for (size_t i = 0; i < sizeof private / sizeof *private; i++)
    if (!check(is_private(private[i]))) fprintf(stderr, "%s\n", private[i]);
  for (size_t i = 0; i < sizeof open / sizeof *open; i++)
    if (!check(!is_private(open[i]))) fprintf(stderr, "%s\n", open[i]);
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  check(lur_address_is_private((const struct sockaddr *)&local));
  check(lur_address_is_private(NULL));
  return unit_end();
}
