/* "name.test" resolves to the address in the file $NAME_FILE. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
  int (*usual)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
      (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT,
                                                                                              "getaddrinfo");
  char address[64] = "";
  if (!name || strcmp(name, "name.test")) return usual(name, service, hints, found);
  FILE *file = fopen(getenv("NAME_FILE"), "r");
  if (file && fscanf(file, "%63s", address) != 1) *address = 0;
  if (file) fclose(file);
  return usual(address, service, hints, found);
}
