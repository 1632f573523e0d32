/* tests/helpers/syscall.c: make one system call: syscall NUMBER [ARGUMENT...]; prints its result or errno. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long a[7] = { 0 };

	for (int i = 1; i < argc && i <= 7; i++)
		a[i - 1] = (long)strtoul(argv[i], NULL, 0);
	long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	if (result < 0)
		printf("%s\n", strerrorname_np(errno));
	else
		printf("%ld\n", result);
	return 0;
}
