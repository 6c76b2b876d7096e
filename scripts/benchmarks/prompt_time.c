/* How long a command takes until it shows a prompt: prompt_time PROMPT COMMAND [ARGUMENT...]
 *
 * Starts it on a terminal of its own, waits until PROMPT was printed, types Ctrl-D, and prints
 * {"prompt_ms": number}. */
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int read_until(int terminal, const char *wanted)
{
  char text[4096];
  size_t used = 0;
  ssize_t length;
  while (used < sizeof text - 1 && (length = read(terminal, text + used, sizeof text - 1 - used)) > 0) {
    used += (size_t)length;
    text[used] = '\0';
    if (strstr(text, wanted)) return 1;
  }
  return 0;
}

static void read_to_the_end(int terminal)
{
  char text[4096];
  while (read(terminal, text, sizeof text) > 0) continue;
}

int main(int argc, char **argv)
{
  if (argc < 3) {
    fprintf(stderr, "usage: %s PROMPT COMMAND [ARGUMENT...]\n", argv[0]);
    return 2;
  }
  double start = now_ms();
  int terminal;
  pid_t child = forkpty(&terminal, NULL, NULL, NULL);
  if (child < 0) return 1;
  if (child == 0) {
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  int shown = read_until(terminal, argv[1]);
  double waited = now_ms() - start;
  if (write(terminal, "\4", 1) != 1) shown = 0;
  read_to_the_end(terminal);
  waitpid(child, NULL, 0);
  if (!shown) return 1;
  printf("{\"prompt_ms\": %.2f}\n", waited);
  return 0;
}
