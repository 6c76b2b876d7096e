/* The most that libcurl on libuv gives on one core: N GETs of one URL at a fixed number in flight,
 * nothing done with the answers. Watchers live as long as their socket; the connections are spread
 * over several multi handles, because libcurl searches an origin's connections one by one.
 *
 *   ceiling URL TOTAL IN_FLIGHT SHARDS [CA_FILE [1.1|2]]     prints one JSON line
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum { MAX_FD = 65536 };

typedef struct {
  CURLM *multi;
  uv_timer_t timer;
} shard;

typedef struct {
  uv_poll_t poll;
  curl_socket_t fd;
  shard *owner;
  int wanted; /* what libcurl waits for now; 0 between transfers */
  int armed;  /* what epoll watches */
} watcher;

static uv_loop_t *loop;
static watcher *watchers[MAX_FD];
static long waiting, done, failed, running;
static const char *url, *ca_file;
static long http_version = CURL_HTTP_VERSION_1_1;

static void drain(CURLM *multi);

static void on_poll(uv_poll_t *poll, int status, int events)
{
  watcher *w = (watcher *)poll;
  int running_now, flags = 0;
  if (!w->wanted) { /* idle connection: the server closed it */
    uv_poll_stop(poll);
    w->armed = 0;
    return;
  }
  if (status >= 0 && !(events & w->wanted)) { /* armed for more than is wanted now */
    w->armed = w->wanted;
    uv_poll_start(poll, w->wanted, on_poll);
    return;
  }
  if (status < 0) flags = CURL_CSELECT_ERR;
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  CURLM *multi = w->owner->multi;
  curl_multi_socket_action(multi, w->fd, flags, &running_now);
  drain(multi);
}

static void on_timer(uv_timer_t *timer)
{
  int running_now;
  CURLM *multi = timer->data;
  curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running_now);
  drain(multi);
}

static int set_timer(CURLM *multi, long ms, void *owner)
{
  shard *s = owner;
  (void)multi;
  if (ms < 0)
    uv_timer_stop(&s->timer);
  else
    uv_timer_start(&s->timer, on_timer, (uint64_t)ms, 0);
  return 0;
}

static int set_interest(CURL *easy, curl_socket_t fd, int what, void *owner, void *unused)
{
  watcher *w = fd < MAX_FD ? watchers[fd] : NULL;
  (void)easy;
  (void)unused;
  if (what == CURL_POLL_REMOVE) {
    if (w) w->wanted = 0;
    return 0;
  }
  if (!w) {
    w = watchers[fd] = calloc(1, sizeof *w);
    w->fd = fd;
    uv_poll_init_socket(loop, &w->poll, fd);
  }
  w->owner = owner;
  w->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  if ((w->armed & w->wanted) != w->wanted) {
    w->armed = w->wanted;
    uv_poll_start(&w->poll, w->wanted, on_poll);
  }
  return 0;
}

static void on_watcher_closed(uv_handle_t *handle) { free(handle); }

static int close_socket(void *unused, curl_socket_t fd)
{
  watcher *w = fd < MAX_FD ? watchers[fd] : NULL;
  (void)unused;
  if (w) {
    watchers[fd] = NULL;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_watcher_closed);
  }
  return close(fd);
}

static size_t discard(char *bytes, size_t size, size_t count, void *unused)
{
  (void)bytes;
  (void)unused;
  return size * count;
}

static CURL *new_transfer(void)
{
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, http_version);
  if (http_version != CURL_HTTP_VERSION_1_1) curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  if (ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, discard);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  return easy;
}

static void drain(CURLM *multi)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left))) {
    CURL *easy = message->easy_handle;
    if (message->data.result != CURLE_OK) failed++;
    done++;
    curl_multi_remove_handle(multi, easy);
    if (waiting > 0) {
      waiting--;
      curl_multi_add_handle(multi, easy);
    } else {
      curl_easy_cleanup(easy);
      if (--running == 0) uv_stop(loop);
    }
  }
}

int main(int argc, char **argv)
{
  if (argc < 5 || argc > 7) {
    fprintf(stderr, "usage: %s URL TOTAL IN_FLIGHT SHARDS [CA_FILE [1.1|2]]\n", argv[0]);
    return 2;
  }
  url = argv[1];
  waiting = atol(argv[2]);
  int in_flight = atoi(argv[3]), shard_count = atoi(argv[4]);
  if (argc > 5) ca_file = argv[5];
  if (argc > 6 && argv[6][0] == '2') http_version = CURL_HTTP_VERSION_2TLS;
  curl_global_init(CURL_GLOBAL_ALL);
  loop = uv_default_loop();
  shard *shards = calloc((size_t)shard_count, sizeof *shards);
  for (int i = 0; i < shard_count; i++) {
    shard *s = &shards[i];
    s->multi = curl_multi_init();
    uv_timer_init(loop, &s->timer);
    s->timer.data = s->multi;
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, set_interest);
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)in_flight + 10);
    curl_multi_setopt(s->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
  }
  uint64_t start = uv_hrtime();
  for (int i = 0; i < in_flight && waiting > 0; i++, waiting--, running++)
    curl_multi_add_handle(shards[i % shard_count].multi, new_transfer());
  uv_run(loop, UV_RUN_DEFAULT);
  double seconds = (double)(uv_hrtime() - start) / 1e9;
  uv_rusage_t usage;
  uv_getrusage(&usage);
  double cpu = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  printf(
      "{\"name\":\"ceiling\",\"requests\":%ld,\"failed\":%ld,\"rps\":%.0f,\"cpu_s\":%.3f,\"rss_mb\":%.1f}\n",
      done, failed, (double)done / seconds, cpu, (double)usage.ru_maxrss / 1024);
  return failed != 0;
}
