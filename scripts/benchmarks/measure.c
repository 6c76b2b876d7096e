/* Runs a command on one core and writes what it cost: measure CORE RESULT_FILE COMMAND [ARGUMENT...]
 *
 * The result is one JSON object: wall and CPU seconds (children it waited for included), peak memory in MB,
 * exit status. Measured from outside and by so small a program, every language is measured alike. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

int main(int argc, char **argv)
{
  if (argc < 4) {
    fprintf(stderr, "usage: %s CORE RESULT_FILE COMMAND [ARGUMENT...]\n", argv[0]);
    return 2;
  }
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET((size_t)atoi(argv[1]), &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0) perror("sched_setaffinity");

  double start = now();
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[3], argv + 3);
    fprintf(stderr, "%s: %s\n", argv[3], strerror(errno));
    _exit(127);
  }
  int status;
  struct rusage usage;
  if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
    perror("measure");
    return 1;
  }
  double wall = now() - start;

  FILE *result = fopen(argv[2], "w");
  if (!result) {
    perror(argv[2]);
    return 1;
  }
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  fprintf(result, "{\"wall_s\":%.6f,\"cpu_s\":%.6f,\"rss_mb\":%.2f,\"status\":%d}\n", wall,
          seconds(usage.ru_utime) + seconds(usage.ru_stime), (double)usage.ru_maxrss / 1024, code);
  return fclose(result) == 0 ? 0 : 1;
}
