// A host in C++. The callback whose name is the first argument throws: with "keeps" as the second one it catches
// its exception itself, which harms nothing; else it is noexcept, so the program ends where the rule was broken.
#include <lurcher.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>

static const char *where;
static bool keeps;

static void thrown_at(const char *place)
{
  if (std::strcmp(place, where) == 0) throw std::runtime_error(place);
}

static void at(const char *place) noexcept
{
  if (!keeps) return thrown_at(place);
  try {
    thrown_at(place);
  } catch (const std::exception &e) {
    std::printf("kept %s\n", e.what());
  }
}

static void on_done(lur_task *, lur_status status, const char *report, void *)
{
  std::printf("%s %s\n", lur_status_name(status), report ? report : "");
  at("done");
}

int main(int, char **arguments)
{
  static const char source[] = "print 'line' require('lurcher.log').warn 'entry'\n"
                               "require('lurcher.http').get('http://127.0.0.1:1/', { retry = false })\n"
                               "require('lurcher.progress').bar({ total = 1 }):add(1)\n"
                               "os.exit(0)";
  where = arguments[1];
  keeps = arguments[2] != nullptr;
  lur_options options;
  lur_options_init(&options);
  options.print = [](const char *, size_t, void *) { at("print"); };
  options.log = [](lur_log_level, const char *, size_t, void *) { at("log"); };
  options.trace = [](const char *, size_t, void *) { at("trace"); };
  options.exit = [](int, void *) { at("exit"); };
  options.progress = [](const char *, size_t, void *) -> int { return at("progress"), 80; };
  lur_runtime *runtime;
  if (lur_open(&runtime, &options) != LUR_OK) return 1;
  lur_start(runtime, "@script.lua", source, std::strlen(source), 0, nullptr, on_done, nullptr, nullptr);
  lur_run(runtime);
  lur_summary(runtime, LUR_SUMMARY_STATS, 0, 0, [](const char *, size_t, void *) { at("write"); }, nullptr);
  lur_close(runtime, [](void *) { at("closed"); }, nullptr);
  std::puts("closed");
}
