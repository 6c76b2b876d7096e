/* A pool of warm workers for scripts that you do not trust: each job runs in a process of its own, which the
 * kernel holds (lurcher --isolate), and which waits ready before the job comes. A worker does one job, so
 * nothing of it is left for the next; another takes its place meanwhile. One that is late is killed.
 *
 *   pool [lurcher]     runs a few jobs, two workers at a time, and prints what came of them
 *
 * Needs POSIX and the command, not the library: copy what is above main. A job is a text and its arguments as
 * a JSON array; its outcome is a line of JSON:
 *
 *   {"status":"ok","values":[42]}            what it returned
 *   {"status":"error","error":…}             what it raised: a text, or the fields of an error
 *   {"status":"limit"}, {"status":"late"}, {"status":"died"}
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_WORKERS = 16, MAX_OUTCOME = 1 << 20, LIMIT_STATUS = 3 };

/* What a worker does: it reads its job, and what it writes last is the outcome. */
static const char driver[] =
    "local line = fs.lines('/dev/stdin')()\n"
    "if not line then return end\n"
    "local job = json.decode(line)\n"
    "local function plain(value)\n"
    "  if value == nil then return json.null end\n"
    "  local is_error = type(value) == 'table' and value.kind and value.message\n"
    "  return is_error and { kind = value.kind, message = value.message } or value\n"
    "end\n"
    "local function outcome(well, ...)\n"
    "  if not well then return { status = 'error', error = plain((...)) } end\n"
    "  local values = {}\n"
    "  for i = 1, select('#', ...) do values[i] = plain((select(i, ...))) end\n"
    "  return { status = 'ok', values = json.array(values) }\n"
    "end\n"
    "local script, wrong = load(job.script, '@job')\n"
    "local function encode(...) return json.encode(outcome(...), { sort = true }) end\n"
    "script = script or function() error(wrong, 0) end\n"
    "local well, text = pcall(encode, pcall(script, unpack(job.arguments)))\n"
    "print('\\n' .. (well and text or json.encode { status = 'error', error = tostring(text) }))\n";

typedef struct {
  const char *script, *arguments; /* the second: a JSON array */
  double seconds;                 /* to its deadline */
  void (*done)(void *ud, const char *outcome);
  void *ud;
} pool_job;

typedef struct {
  pid_t pid; /* 0: none */
  int fd;
  const pool_job *job; /* NULL: it waits for one */
  double deadline;
  char *answer;
  size_t length;
  int late;
} worker;

typedef struct {
  const char *const *command; /* ends with NULL */
  worker workers[MAX_WORKERS];
  int size;
} pool;

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- workers ---- */

static int worker_start(worker *w, const char *const *command)
{
  int ends[2];
  posix_spawn_file_actions_t actions;
  *w = (worker){.fd = -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return 0;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  int failed = posix_spawnp(&w->pid, command[0], &actions, NULL, (char *const *)command, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed) {
    close(ends[0]);
    w->pid = 0;
    return 0;
  }
  w->fd = ends[0];
  return 1;
}

/* Ends it, however far it is. Gives how it ended, as waitpid does. */
static int worker_end(worker *w, int kill_it)
{
  int status = 0;
  if (w->fd >= 0) close(w->fd);
  if (w->pid && kill_it) kill(w->pid, SIGKILL); /* what it started dies with it */
  while (w->pid && waitpid(w->pid, &status, 0) < 0 && errno == EINTR) continue;
  free(w->answer);
  *w = (worker){.fd = -1};
  return status;
}

static void write_string(FILE *out, const char *text)
{
  fputc('"', out);
  for (const unsigned char *at = (const unsigned char *)text; *at; at++)
    if (*at < 0x20 || *at == '"' || *at == '\\')
      fprintf(out, "\\u%04x", *at);
    else
      fputc(*at, out);
  fputc('"', out);
}

static void send_all(int fd, const char *bytes, size_t length)
{
  while (length) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return; /* it has died: that is seen when it is read from */
    bytes += sent;
    length -= (size_t)sent;
  }
}

static void worker_give(worker *w, const pool_job *job)
{
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  if (!out) return;
  fputs("{\"script\":", out);
  write_string(out, job->script);
  fprintf(out, ",\"arguments\":%s}\n", job->arguments);
  fclose(out);
  send_all(w->fd, text, length);
  free(text);
  w->job = job;
  w->deadline = now() + job->seconds;
}

/* Reads what is there. 0: that was all, or too much. */
static int worker_read(worker *w)
{
  char bytes[4096];
  ssize_t got = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  char *grown = got && w->length < MAX_OUTCOME ? realloc(w->answer, w->length + (size_t)got + 1) : NULL;
  if (!grown) return 0;
  memcpy(grown + w->length, bytes, (size_t)got);
  w->answer = grown;
  w->length += (size_t)got;
  grown[w->length] = '\0';
  return 1;
}

/* The last line of what it wrote; NULL: none. */
static char *last_line(char *text, size_t length)
{
  if (!length || text[length - 1] != '\n') return NULL;
  text[length - 1] = '\0';
  char *line = strrchr(text, '\n');
  return line && line[1] == '{' ? line + 1 : NULL;
}

/* ---- the pool ---- */

static void pool_finish(pool *p, worker *w)
{
  const pool_job *job = w->job;
  char *answer = w->answer, *line = w->late ? NULL : last_line(answer, w->length);
  const char *lost = w->late ? "{\"status\":\"late\"}" : "{\"status\":\"died\"}";
  w->answer = NULL;
  int status = worker_end(w, !line);
  if (!line && WIFEXITED(status) && WEXITSTATUS(status) == LIMIT_STATUS) lost = "{\"status\":\"limit\"}";
  worker_start(w, p->command);
  if (job) job->done(job->ud, line ? line : lost);
  free(answer);
}

static int pool_open(pool *p, int size, const char *const *command)
{
  *p = (pool){.command = command, .size = size < MAX_WORKERS ? size : MAX_WORKERS};
  for (int i = 0; i < p->size; i++)
    if (!worker_start(&p->workers[i], command)) return 0;
  return 1;
}

/* False: all are busy. The job lives until it is done. */
static int pool_give(pool *p, const pool_job *job)
{
  for (int i = 0; i < p->size; i++) {
    if (p->workers[i].job || !p->workers[i].pid) continue;
    worker_give(&p->workers[i], job);
    return 1;
  }
  return 0;
}

/* Waits until something has happened, at most so long, and calls `done` of what has ended. A host with a loop
 * of its own watches the descriptors there. */
static void pool_run(pool *p, double seconds)
{
  struct pollfd polled[MAX_WORKERS];
  double until = now() + seconds;
  for (int i = 0; i < p->size; i++) {
    const worker *w = &p->workers[i];
    polled[i] = (struct pollfd){.fd = w->job ? w->fd : -1, .events = POLLIN};
    if (w->job && w->deadline < until) until = w->deadline;
  }
  double left = until - now();
  poll(polled, (nfds_t)p->size, left > 0 ? (int)(left * 1000) + 1 : 0);
  for (int i = 0; i < p->size; i++) {
    worker *w = &p->workers[i];
    if (!w->job) continue;
    int is_over = polled[i].revents && !worker_read(w);
    w->late = !is_over && now() >= w->deadline;
    if (is_over || w->late) pool_finish(p, w);
  }
}

static void pool_close(pool *p)
{
  for (int i = 0; i < p->size; i++) worker_end(&p->workers[i], 1);
}

/* ---- what it is for ---- */

typedef struct {
  char *text;
  int *left;
} outcome;

static void on_done(void *ud, const char *text)
{
  outcome *o = ud;
  o->text = strdup(text);
  --*o->left;
}

int main(int argc, char **argv)
{
  const char *const command[] = {argc > 1 ? argv[1] : "lurcher",
                                 "--isolate",
                                 "--allow-read=/dev/stdin",
                                 "--memory=64M",
                                 "--burst=0.3",
                                 "--log=error",
                                 "-e",
                                 driver,
                                 NULL};
  enum { JOBS = 6, LONG = 60 };
  int left = JOBS, next = 0;
  outcome outcomes[JOBS] = {{0}};
  pool_job jobs[JOBS] = {
      {.script = "return 6 * 7", .arguments = "[]", .seconds = LONG},
      {.script = "local a, b = ...\nreturn a .. ' and ' .. b",
       .arguments = "[\"one\",\"two\"]",
       .seconds = LONG},
      {.script = "return fs.read '/etc/passwd'", .arguments = "[]", .seconds = LONG},
      {.script = "while true do end", .arguments = "[]", .seconds = LONG},
      {.script = "task.sleep(3600)", .arguments = "[]", .seconds = 0.5},
      {.script = "seen = (seen or 0) + 1 return seen", .arguments = "[]", .seconds = LONG},
  };
  pool p;
  for (int i = 0; i < JOBS; i++) {
    outcomes[i].left = &left;
    jobs[i].done = on_done;
    jobs[i].ud = &outcomes[i];
  }
  if (!pool_open(&p, 2, command)) {
    fprintf(stderr, "pool: cannot start %s\n", command[0]);
    return 1;
  }
  while (left) {
    while (next < JOBS && pool_give(&p, &jobs[next])) next++;
    pool_run(&p, 1);
  }
  pool_close(&p);
  for (int i = 0; i < JOBS; i++) {
    printf("%d: %s\n", i + 1, outcomes[i].text);
    free(outcomes[i].text);
  }
  return 0;
}
