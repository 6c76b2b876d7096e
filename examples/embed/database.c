/* A program that offers a database to its scripts. SQLite blocks, so statements run in threads of their own;
 * a script that asks waits, while others go on.
 *
 *   database [FILE.db [script.lua]]     without a file: one in memory; without a script: one that is built in
 *
 * In a script:
 *   local db = require("host").db
 *   local rows = assert(db.query("select name from users where age > ?", 30))    -- a list of tables
 */
#include <lurcher.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, STEPS_BETWEEN_LOOKS = 1000 };

static const char built_in[] =
    "local db, task = require('host').db, require 'lurcher.task'\n"
    "assert(db.query 'create table users (name text, age integer)')\n"
    "for i, name in ipairs { 'Ada', 'Grace', 'Edsger' } do\n"
    "  assert(db.query('insert into users values (?, ?)', name, 30 + i))\n"
    "end\n"
    "local ages = assert(task.map({ 31, 32, 33 }, function(age)\n"
    "  return assert(db.query('select name from users where age = ?', age))[1].name\n"
    "end, { concurrency = 3 }))\n"
    "print(table.concat(ages, ', '))\n"
    "local rows, err = db.query 'select * from nowhere'\n"
    "print(rows, err.kind, err.code)\n";

/* One statement: made on the loop's thread, run by a worker, freed by on_release. */
typedef struct job job;
struct job {
  job *next;
  lur_call *call;
  char *sql, *parameters; /* a JSON array */
};

typedef struct {
  pthread_t threads[WORKERS];
  pthread_mutex_t lock;
  pthread_cond_t changed;
  job *first, **last;
  int ending;
  const char *path;
  sqlite3 *first_connection; /* keeps a database in memory while workers come and go */
} database;

static void on_release(void *ud)
{
  job *j = ud;
  free(j->sql);
  free(j->parameters);
  free(j);
}

/* ---- in a worker ---- */

/* Runs SQL that gives one text. json_each takes the parameters apart, json_group_array and json_quote put the
 * rows together: so no JSON is written here. */
static int run(sqlite3 *db, job *j, sqlite3_str *out)
{
  sqlite3_stmt *statement = NULL, *values = NULL, *quote = NULL;
  int code = sqlite3_prepare_v2(db, j->sql, -1, &statement, NULL), rows = 0;
  if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, "select value from json_each(?)", -1, &values, NULL);
  if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, "select json_quote(?)", -1, &quote, NULL);
  if (code != SQLITE_OK) goto end;
  sqlite3_bind_text(values, 1, j->parameters, -1, SQLITE_STATIC);
  for (int i = 1; sqlite3_step(values) == SQLITE_ROW; i++)
    sqlite3_bind_value(statement, i, sqlite3_column_value(values, 0));
  sqlite3_str_appendchar(out, 1, '[');
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    sqlite3_str_appendall(out, rows++ ? ",{" : "{");
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
      for (int side = 0; side < 2; side++) {
        if (side == 0)
          sqlite3_bind_text(quote, 1, sqlite3_column_name(statement, i), -1, SQLITE_STATIC);
        else
          sqlite3_bind_value(quote, 1, sqlite3_column_value(statement, i));
        sqlite3_step(quote);
        const char *text = (const char *)sqlite3_column_text(quote, 0);
        sqlite3_str_appendf(out, "%s%s", side == 1 ? ":" : i > 0 ? "," : "", text ? text : "null");
        sqlite3_reset(quote);
      }
    }
    sqlite3_str_appendchar(out, 1, '}');
  }
  sqlite3_str_appendchar(out, 1, ']');
  code = code == SQLITE_DONE ? SQLITE_OK : code;
end:
  sqlite3_finalize(statement);
  sqlite3_finalize(values);
  sqlite3_finalize(quote);
  return code;
}

/* Asked by SQLite now and then; not 0 ends the statement. A `cancel` of lur_pend that calls sqlite3_interrupt
 * would not do: that is lost where it comes before the first step. */
static int is_given_up(void *call) { return lur_call_canceled(call); }

static void answer(sqlite3 *db, job *j)
{
  lur_call *call = j->call;
  sqlite3_progress_handler(db, STEPS_BETWEEN_LOOKS, is_given_up, call);
  sqlite3_str *out = sqlite3_str_new(db);
  int code = lur_call_canceled(call) ? SQLITE_INTERRUPT : run(db, j, out);
  char *rows = sqlite3_str_finish(out);
  if (code == SQLITE_OK && rows)
    lur_return_json(call, rows, strlen(rows));
  else
    lur_fail(call, sqlite3_errstr(code), sqlite3_errmsg(db));
  sqlite3_free(rows);
  lur_complete(call); /* always, also when nobody waits any more; on_release comes after it */
}

static void *work(void *ud)
{
  database *d = ud;
  sqlite3 *db;
  if (sqlite3_open_v2(d->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL) !=
      SQLITE_OK)
    fprintf(stderr, "%s: %s\n", d->path, sqlite3_errmsg(db));
  sqlite3_busy_timeout(db, 10000);
  pthread_mutex_lock(&d->lock);
  while (d->first || !d->ending) {
    job *j = d->first;
    if (!j) {
      pthread_cond_wait(&d->changed, &d->lock);
      continue;
    }
    d->first = j->next;
    if (!d->first) d->last = &d->first;
    pthread_mutex_unlock(&d->lock);
    answer(db, j);
    pthread_mutex_lock(&d->lock);
  }
  pthread_mutex_unlock(&d->lock);
  sqlite3_close(db);
  return NULL;
}

/* ---- on the loop's thread ---- */

/* db.query(sql, ...): the arguments are only there until this returns, so they are copied. */
static void query(lur_call *call, void *ud)
{
  database *d = ud;
  const char *sql = lur_arg_string(call, 1, NULL);
  if (!sql) {
    lur_raise(call, "db.query: the statement must be a string");
    return;
  }
  sqlite3_str *list = sqlite3_str_new(NULL);
  for (int i = 2; i <= lur_arg_count(call); i++) {
    const char *value = lur_arg_json(call, i, NULL);
    sqlite3_str_appendf(list, "%s%s", i == 2 ? "[" : ",", value ? value : "null");
  }
  sqlite3_str_appendall(list, lur_arg_count(call) < 2 ? "[]" : "]");
  char *parameters = sqlite3_str_finish(list);
  job *j = malloc(sizeof *j);
  if (j) *j = (job){.call = call, .sql = strdup(sql), .parameters = parameters ? strdup(parameters) : NULL};
  sqlite3_free(parameters);
  if (!j || !j->sql || !j->parameters || lur_pend(call, NULL, on_release, j) != LUR_OK) {
    if (j) on_release(j);
    lur_fail(call, "memory", "not enough memory");
    return;
  }
  pthread_mutex_lock(&d->lock);
  *d->last = j;
  d->last = &j->next;
  pthread_cond_signal(&d->changed);
  pthread_mutex_unlock(&d->lock);
}

static void on_print(const char *text, size_t length, void *ud)
{
  (void)ud;
  fwrite(text, 1, length, stdout);
}

static void on_result(lur_task *task, const lur_result *result, void *ud)
{
  (void)task;
  *(int *)ud = result->status != LUR_OK;
  if (result->report) fprintf(stderr, "%s\n", result->report);
}

/* ---- the whole ---- */

static char *read_file(const char *path, size_t *length)
{
  FILE *file = fopen(path, "rb");
  char *text = malloc(1 << 20);
  *length = file && text ? fread(text, 1, 1 << 20, file) : 0;
  if (file) fclose(file);
  return text;
}

int main(int argc, char **argv)
{
  database d = {.path = argc > 1 ? argv[1] : "file:shared?mode=memory&cache=shared",
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .changed = PTHREAD_COND_INITIALIZER};
  d.last = &d.first;
  if (sqlite3_open_v2(d.path, &d.first_connection,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL) != SQLITE_OK) {
    fprintf(stderr, "%s: %s\n", d.path, sqlite3_errmsg(d.first_connection));
    return EXIT_FAILURE;
  }
  for (int i = 0; i < WORKERS; i++) pthread_create(&d.threads[i], NULL, work, &d);

  lur_options options;
  lur_runtime *runtime;
  int failed = 1;
  lur_options_init(&options);
  options.print = on_print;
  if (lur_open(&runtime, &options) != LUR_OK) return EXIT_FAILURE;
  lur_register(runtime, "db.query", query, &d);
  lur_script script = {.size = sizeof script, .source = built_in, .length = sizeof built_in - 1};
  char *text = argc > 2 ? read_file(argv[2], &script.length) : NULL;
  char name[256];
  snprintf(name, sizeof name, "@%s", text ? argv[2] : "built_in");
  script.chunkname = name;
  if (text) script.source = text;
  script.done = on_result;
  script.ud = &failed;
  if (lur_run_script(runtime, &script, NULL) == LUR_OK)
    lur_run(runtime);
  else
    fprintf(stderr, "%s\n", lur_error(runtime));
  lur_close(runtime, NULL, NULL); /* calls that are out are cancelled; workers may complete them afterwards */
  free(text);

  pthread_mutex_lock(&d.lock);
  d.ending = 1;
  pthread_cond_broadcast(&d.changed);
  pthread_mutex_unlock(&d.lock);
  for (int i = 0; i < WORKERS; i++) pthread_join(d.threads[i], NULL);
  sqlite3_close(d.first_connection);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
