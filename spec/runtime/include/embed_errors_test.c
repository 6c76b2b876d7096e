/* Each function of lurcher.h, called wrongly: its status, and what lur_error says of it. */
#include "support/host.h"

#include "lurcher_lua.h"

static host h;
static const char *const none[1];

static void refused(lur_status status, const char *words)
{
  check(status == LUR_INVALID);
  if (!check(strstr(lur_error(h.runtime), words) != NULL))
    printf("  \"%s\" does not name: %s\n", lur_error(h.runtime), words);
}

static lur_status start(const char *name, const char *source, size_t length, int argc,
                        const char *const *argv)
{
  lur_task *task = (lur_task *)&h;
  lur_status status = lur_start(h.runtime, name, source, length, argc, argv, NULL, NULL, &task);
  if (status != LUR_OK) check(!task);
  return status;
}

static void write_nothing(const char *text, size_t length, void *ud) { (void)text, (void)length, (void)ud; }

static lur_status summary(int kind, lur_print_fn write)
{
  return lur_summary(h.runtime, (lur_summary_kind)kind, 0, 0, write, NULL);
}

static void names_the_wrong_argument(void)
{
  host_open(&h, NULL);
  check_string(lur_error(h.runtime), "");
  refused(start(NULL, "", 0, 0, NULL), "chunkname is NULL");
  refused(start("@a", NULL, 1, 0, NULL), "source is NULL");
  refused(start("@a", "", 0, -1, NULL), "argc is negative");
  refused(start("@a", "", 0, 1, NULL), "argv is NULL");
  refused(start("@a", "", 0, 1, none), "an argument is NULL");
  refused(start("@a", "", 0, 20001, none), "more than 20000 arguments");
  refused(lur_set_arg(h.runtime, NULL, 0, NULL), "name is NULL");
  refused(lur_set_arg(h.runtime, "a", -1, NULL), "argc is negative");
  refused(lur_set_arg(h.runtime, "a", 1, NULL), "argv is NULL");
  refused(lur_set_arg(h.runtime, "a", 1, none), "an argument is NULL");
  refused(summary(LUR_SUMMARY_STATS, NULL), "write is NULL");
  refused(summary(-1, write_nothing), "no summary of that kind");
  refused(summary(99, write_nothing), "no summary of that kind");
  refused(summary(LUR_SUMMARY_HTML, write_nothing), "lur_options.record");
  check(start("@a", "=", 1, 0, NULL) == LUR_SYNTAX);
  check_string(lur_error(h.runtime), "a:1: unexpected symbol near '='");
  check(start("@a", "\x1bLJ\2", 4, 0, NULL) == LUR_SYNTAX);
  check(strstr(lur_error(h.runtime), "bytecode") || strstr(lur_error(h.runtime), "mode"));
  check(start("@a", NULL, 0, 0, NULL) == LUR_OK); /* an empty script */
  check(lur_run(h.runtime) == LUR_OK);
  host_close(&h);
}

static void from_print(void *ud)
{
  (void)ud;
  refused(lur_run(h.runtime), "the loop runs already");
  refused(summary(LUR_SUMMARY_STATS, write_nothing), "within a callback of a running script");
  refused(start(NULL, "", 0, 0, NULL), "chunkname is NULL");
  check(start("@b", "", 0, 0, NULL) == LUR_OK);
  lur_close(h.runtime, host_closed, &h);
  refused(start("@b", "", 0, 0, NULL), "the runtime is being closed");
  refused(lur_set_arg(h.runtime, "b", 0, NULL), "the runtime is being closed");
  refused(lur_run(h.runtime), "the loop runs already");
}

static void names_the_wrong_state(void)
{
  host_open(&h, NULL);
  h.on_line = from_print;
  check(host_start(&h, "print 'now'", NULL) == LUR_OK);
  check(lur_run(h.runtime) == LUR_OK);
  check(h.closed == 1);
}

static void of_a_loop_of_the_host(void)
{
  uv_loop_t loop;
  uv_loop_init(&loop);
  host_open(&h, &loop);
  refused(lur_run(h.runtime), "the loop is the host's");
  host_close(&h);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0 && h.closed == 1);
}

static void takes_null(void)
{
  lur_runtime *runtime = (lur_runtime *)&h;
  char text[8];
  check(lur_open(NULL, NULL) == LUR_INVALID);
  check(lur_start(NULL, "@a", "", 0, 0, NULL, NULL, NULL, NULL) == LUR_INVALID);
  check(lur_set_arg(NULL, "a", 0, NULL) == LUR_INVALID);
  check(lur_run(NULL) == LUR_INVALID);
  check(lur_summary(NULL, LUR_SUMMARY_STATS, 0, 0, write_nothing, NULL) == LUR_INVALID);
  check_string(lur_error(NULL), "");
  check(!lur_budget_report(NULL) && !lur_lua(NULL) && lur_hook_libraries(NULL) == LUR_INVALID &&
        lur_busy(NULL, text, sizeof text) == 0);
  lur_options_init_sized(NULL, sizeof(lur_options));
  lur_interrupt(NULL);
  lur_drain(NULL);
  lur_task_cancel(NULL, "why");
  lur_close(NULL, NULL, NULL);
  check_string(lur_status_name((lur_status)-1), "unknown");
  check_string(lur_status_name((lur_status)99), "unknown");
  check(lur_open(&runtime, NULL) == LUR_OK);
  lur_close(runtime, NULL, NULL);
}

/* Sizes of headers older and newer than the library. */
static void takes_any_size_of_the_options(void)
{
  struct {
    lur_options options;
    char newer[64];
  } larger;
  for (size_t size = 0; size <= sizeof larger; size++) {
    lur_runtime *runtime = (lur_runtime *)&h;
    memset(&larger, 0xff, sizeof larger);
    lur_options_init_sized(&larger.options, size);
    larger.options.size = size;
    bool known = size >= offsetof(lur_options, log_level);
    check(lur_open(&runtime, &larger.options) == (known ? LUR_OK : LUR_INVALID));
    check(known == (runtime != NULL));
    lur_close(runtime, NULL, NULL);
  }
}

int main(void)
{
  names_the_wrong_argument();
  names_the_wrong_state();
  of_a_loop_of_the_host();
  takes_null();
  takes_any_size_of_the_options();
  return unit_end();
}
