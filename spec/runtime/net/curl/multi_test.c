/* A multi with jobs that know no HTTP of ours: easy handles to a port where nobody listens. */
#include "net/curl/multi.h"

#include "core/container_of.h"
#include "support/unit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  multi_job job;
  CURL *easy;
  char text[CURL_ERROR_SIZE];
  multi_result result;
} request;

static loop l;
static multi m;
static multi_shared shared;
static unsigned ended, missing;

static bool on_finished(multi_job *job, const multi_result *result)
{
  request *r = container_of(job, request, job);
  r->result = *result;
  multi_remove(&m, job);
  curl_easy_cleanup(r->easy);
  r->easy = NULL;
  ended++;
  loop_release(&l);
  return r->text[0];
}

static bool expects_more(const multi_job *job)
{
  (void)job;
  return false;
}

static bool connects(const multi_job *job)
{
  (void)job;
  return false;
}

static bool may_connect(multi_job *job)
{
  (void)job;
  return true;
}

static bool may_reach(multi_job *job, struct curl_sockaddr *address)
{
  (void)job;
  (void)address;
  return true;
}

static const multi_job_class noting = {on_finished, expects_more, may_connect, may_reach, connects};

static void on_no_descriptor(multi_shared *s)
{
  (void)s;
  missing++;
}

static void on_descriptor_freed(multi_shared *s) { (void)s; }
static void on_ready(operation *op, void *user) { (void)op, (void)user; }
static void on_closed(void *user) { (void)user; }

/* A port that was free a moment ago. */
static int unused_port(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  check(bind(fd, (struct sockaddr *)&address, length) == 0);
  check(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

static void add(request *r)
{
  char text[64];
  snprintf(text, sizeof text, "http://127.0.0.1:%d/", unused_port());
  *r = (request){.job.class = &noting, .easy = curl_easy_init()};
  curl_easy_setopt(r->easy, CURLOPT_URL, text);
  curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(r->easy, CURLOPT_PROXY, "");
  curl_easy_setopt(r->easy, CURLOPT_ERRORBUFFER, r->text);
  curl_easy_setopt(r->easy, CURLOPT_PRIVATE, &r->job);
  multi_set_options(&m, r->easy);
  loop_hold(&l);
  check(multi_add(&m, &r->job, r->easy));
}

static void open_multi(void)
{
  ended = missing = 0;
  check(loop_init(&l, NULL, NULL) == 0);
  l.on_ready = on_ready;
  shared = (multi_shared){
      .loop = &l, .on_no_descriptor = on_no_descriptor, .on_descriptor_freed = on_descriptor_freed};
  multi_init(&m, &shared, &l.real, 10);
}

static void close_multi(void)
{
  multi_close_idle(&m);
  check(m.in_flight == 0 && m.sockets == 0 && multi_connections(&m) == 0);
  loop_close(&l, on_closed);
  loop_run(&l);
  watcher_table_free(&shared.watchers);
  loop_deinit(&l);
}

static void tells_each_job_how_it_ended(void)
{
  request r[3];
  open_multi();
  for (int i = 0; i < 3; i++) add(&r[i]);
  check(m.in_flight == 3);
  loop_run(&l);
  check(ended == 3 && missing == 0);
  for (int i = 0; i < 3; i++) check(r[i].result.code == CURLE_COULDNT_CONNECT && !r[i].result.no_descriptor);
  close_multi();
}

static void tells_when_descriptors_are_missing(void)
{
  struct rlimit limit, none;
  request r;
  open_multi();
  add(&r);
  getrlimit(RLIMIT_NOFILE, &limit);
  none = limit;
  int next = dup(0);
  close(next);
  none.rlim_cur = (rlim_t)next;
  setrlimit(RLIMIT_NOFILE, &none);
  loop_run(&l);
  setrlimit(RLIMIT_NOFILE, &limit);
  check(ended == 1 && missing > 0 && r.result.no_descriptor);
  add(&r); /* that was of one call only */
  loop_run(&l);
  check(ended == 2 && !r.result.no_descriptor);
  close_multi();
}

static void lets_go_of_a_job_that_still_runs(void)
{
  request r;
  open_multi();
  add(&r);
  multi_remove(&m, &r.job);
  curl_easy_cleanup(r.easy);
  loop_release(&l);
  loop_run(&l);
  check(ended == 0);
  close_multi();
}

int main(void)
{
  curl_global_init(CURL_GLOBAL_ALL);
  tells_each_job_how_it_ended();
  tells_when_descriptors_are_missing();
  lets_go_of_a_job_that_still_runs();
  curl_global_cleanup();
  return unit_end();
}
