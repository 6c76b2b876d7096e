/* libcurl, which is loaded when the first client is made: it brings twenty libraries with it, and to load
 * them takes half of the time of a command that sends nothing. The command has these functions of libcurl's
 * names, which the library is linked with there; each calls the one that was loaded. */
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* All that the library calls: result, name, parameters, arguments. */
#define FUNCTIONS(F)                                                                                         \
  F(CURLcode, curl_easy_pause, (CURL * easy, int which), (easy, which))                                      \
  F(CURLcode, curl_easy_recv, (CURL * easy, void *to, size_t size, size_t *read), (easy, to, size, read))    \
  F(CURLcode, curl_easy_send, (CURL * easy, const void *from, size_t size, size_t *sent),                    \
    (easy, from, size, sent))                                                                                \
  F(CURL *, curl_easy_init, (void), ())                                                                      \
  F(const char *, curl_easy_strerror, (CURLcode code), (code))                                               \
  F(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL * easy), (multi, easy))                           \
  F(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi))                                                 \
  F(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *left), (multi, left))                              \
  F(CURLM *, curl_multi_init, (void), ())                                                                    \
  F(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL * easy), (multi, easy))                        \
  F(CURLMcode, curl_multi_socket_action, (CURLM * multi, curl_socket_t fd, int events, int *running),        \
    (multi, fd, events, running))                                                                            \
  F(CURLSHcode, curl_share_cleanup, (CURLSH * share), (share))                                               \
  F(CURLSH *, curl_share_init, (void), ())                                                                   \
  F(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text), (list, text))      \
  F(CURLU *, curl_url, (void), ())                                                                           \
  F(CURLUcode, curl_url_set, (CURLU * url, CURLUPart part, const char *text, unsigned flags),                \
    (url, part, text, flags))                                                                                \
  F(const char *, curl_url_strerror, (CURLUcode code), (code))                                               \
  F(curl_version_info_data *, curl_version_info, (CURLversion age), (age))                                   \
  F(CURLcode, curl_global_init, (long flags), (flags))

/* Those that give nothing. */
#define PROCEDURES(F)                                                                                        \
  F(curl_easy_cleanup, (CURL * easy), (easy))                                                                \
  F(curl_slist_free_all, (struct curl_slist * list), (list))                                                 \
  F(curl_url_cleanup, (CURLU * url), (url))

/* Those with one argument more, of a type that its option tells: result, name, what it is for, its option. */
#define SETTERS(F)                                                                                           \
  F(CURLcode, curl_easy_setopt, CURL *, CURLoption)                                                          \
  F(CURLcode, curl_easy_getinfo, CURL *, CURLINFO)                                                           \
  F(CURLMcode, curl_multi_setopt, CURLM *, CURLMoption)                                                      \
  F(CURLSHcode, curl_share_setopt, CURLSH *, CURLSHoption)

/* A long, a pointer and a curl_off_t are handed over in the same register. */
_Static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *), "64 bits");

static CURLcode load_and_init(long flags);
static const char *say_why(CURLcode code);

static struct {
#define POINTER(type, name, a, b)        __typeof__(&name) name;
#define POINTER_OF_PROCEDURE(name, a, b) __typeof__(&name) name;
  PROCEDURES(POINTER_OF_PROCEDURE)
  SETTERS(POINTER)
  FUNCTIONS(POINTER)
} libcurl = {.curl_global_init = load_and_init, .curl_easy_strerror = say_why};

#define FORWARD(type, name, parameters, arguments)                                                           \
  type name parameters { return libcurl.name arguments; }
FUNCTIONS(FORWARD)

#define FORWARD_PROCEDURE(name, parameters, arguments)                                                       \
  void name parameters { libcurl.name arguments; }
PROCEDURES(FORWARD_PROCEDURE)

#define FORWARD_SETTER(type, name, handle_type, option_type)                                                 \
  type(name)(handle_type handle, option_type option, ...)                                                    \
  {                                                                                                          \
    va_list list;                                                                                            \
    va_start(list, option);                                                                                  \
    void *value = va_arg(list, void *);                                                                      \
    va_end(list);                                                                                            \
    return (libcurl.name)(handle, option, value);                                                            \
  }
SETTERS(FORWARD_SETTER)

/* Why it is not there: what curl_easy_strerror gives until it is. */
static char why[512];

static const char *say_why(CURLcode code)
{
  (void)code;
  return why;
}

static bool find_all(void *library)
{
#define FIND(name)                                                                                           \
  if (!(*(void **)&libcurl.name = dlsym(library, #name))) return false;
#define FIND_FUNCTION(type, name, a, b) FIND(name)
#define FIND_PROCEDURE(name, a, b)      FIND(name)
  PROCEDURES(FIND_PROCEDURE)
  SETTERS(FIND_FUNCTION)
  FUNCTIONS(FIND_FUNCTION)
  return true;
}

static CURLcode load_and_init(long flags)
{
  void *library = dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL); /* for as long as the process runs */
  if (library && find_all(library)) return libcurl.curl_global_init(flags);
  const char *reason = dlerror();
  snprintf(why, sizeof why, "HTTP needs libcurl (Debian's package libcurl4): %s", reason ? reason : "?");
  libcurl.curl_global_init = load_and_init;
  libcurl.curl_easy_strerror = say_why;
  return CURLE_FAILED_INIT;
}
