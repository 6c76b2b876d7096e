/* A kernel without Landlock and seccomp, or with version $LURCHER_LANDLOCK of Landlock. */
#include <errno.h>
#include <linux/landlock.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* By hand: the library's own is the one that is replaced. */
static long call(long number, const long *a)
{
  long result;
#if defined(__x86_64__)
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  register long r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a[0];
  register long x1 __asm__("x1") = a[1];
  register long x2 __asm__("x2") = a[2];
  register long x3 __asm__("x3") = a[3];
  register long x4 __asm__("x4") = a[4];
  register long x5 __asm__("x5") = a[5];
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  result = x0;
#endif
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

long syscall(long number, ...)
{
  const char *version = getenv("LURCHER_LANDLOCK");
  long a[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_landlock_create_ruleset && !version) {
    errno = ENOSYS;
    return -1;
  }
  if (number == SYS_landlock_create_ruleset && a[2]) return atol(version);
  return call(number, a);
}

int prctl(int option, ...)
{
  long a[6] = {option};
  va_list arguments;
  va_start(arguments, option);
  for (int i = 1; i < 5; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (option == PR_SET_SECCOMP) {
    errno = EINVAL;
    return -1;
  }
  return (int)call(SYS_prctl, a);
}
