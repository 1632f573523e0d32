/* tests/helpers/syscall.c: make one system call: syscall [--i386] NUMBER [ARGUMENT...]; prints result or
 * errno. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As a 32-bit program would: another architecture to a seccomp filter. */
static long call_i386(const long *a)
{
	long result = -ENOSYS;

#ifdef __x86_64__
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(a[0]), "b"(a[1]), "c"(a[2]), "d"(a[3])
			 : "memory", "r8", "r9", "r10", "r11");
	result = (int)result;
#endif
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

int main(int argc, char **argv)
{
	int i386 = argc > 1 && strcmp(argv[1], "--i386") == 0;
	long a[7] = { 0 };

	for (int i = 1 + i386; i < argc && i - i386 <= 7; i++)
		a[i - 1 - i386] = (long)strtoul(argv[i], NULL, 0);
	long result = i386 ? call_i386(a) : syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	if (result < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%ld\n", result);
	return 0;
}
