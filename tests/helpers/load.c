/* tests/helpers/load.c: ask for one resource until it is refused, and say what came of it:
 *	load memory MIB [SECONDS]   touch so much, say so, keep it
 *	load fork N                 so many children at once; prints how many came to be, and why not more
 *	load spin MS                use the processor for so long; prints the milliseconds of it that were had
 *	load write FILE KIB         past the page cache; prints the milliseconds it took
 *	load open FILE r|w|rw       prints "open" or the error's name
 *	load mknod FILE c|b MAJOR MINOR */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB, PAGE = 4096, CHILDREN_MAX = 10000 };

static long milliseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *result_of(long result)
{
	return result < 0 ? strerrorname_np(errno) : "ok";
}

static int memory(char **a)
{
	size_t size = (size_t)atol(a[0]) * MIB;
	volatile char *p = malloc(size);

	if (!p)
		return 1;
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
	printf("touched %s MiB\n", a[0]);
	fflush(stdout);
	if (a[1])
		sleep((unsigned)atoi(a[1]));
	return 0;
}

static int fork_many(char **a)
{
	static pid_t children[CHILDREN_MAX];
	int wanted = atoi(a[0]), made = 0;
	pid_t pid = 0;

	while (made < wanted && made < CHILDREN_MAX && (pid = fork()) >= 0) {
		if (pid == 0) {
			pause();
			_exit(0);
		}
		children[made++] = pid;
	}
	printf("%d %s\n", made, result_of(pid));
	for (int i = 0; i < made; i++)
		kill(children[i], SIGKILL);
	return 0;
}

static int spin(char **a)
{
	long end = milliseconds(CLOCK_MONOTONIC) + atol(a[0]);

	while (milliseconds(CLOCK_MONOTONIC) < end)
		for (volatile int i = 0; i < 100000; i++)
			;
	printf("%ld\n", milliseconds(CLOCK_PROCESS_CPUTIME_ID));
	return 0;
}

static int write_file(char **a)
{
	static char block[64 * KIB] __attribute__((aligned(4096)));
	long start = milliseconds(CLOCK_MONOTONIC), left = atol(a[1]) * KIB;
	int fd = open(a[0], O_WRONLY | O_CREAT | O_DIRECT, 0600);

	for (; fd >= 0 && left > 0; left -= (long)sizeof block)
		if (write(fd, block, sizeof block) < 0)
			break;
	if (fd < 0 || left > 0)
		printf("%s\n", result_of(-1));
	else
		printf("%ld\n", milliseconds(CLOCK_MONOTONIC) - start);
	return 0;
}

static int open_file(char **a)
{
	int flags = strcmp(a[1], "rw") == 0 ? O_RDWR : a[1][0] == 'w' ? O_WRONLY : O_RDONLY;

	puts(result_of(open(a[0], flags | O_NONBLOCK | O_NOCTTY)));
	return 0;
}

static int make_node(char **a)
{
	mode_t type = a[1][0] == 'b' ? S_IFBLK : S_IFCHR;

	puts(result_of(mknod(a[0], type | 0666, makedev((unsigned)atoi(a[2]), (unsigned)atoi(a[3])))));
	return 0;
}

static const struct {
	const char *name;
	int operands;
	int (*run)(char **operands);
} commands[] = {
	{ "memory", 1, memory },  { "fork", 1, fork_many },  { "spin", 1, spin },
	{ "write", 2, write_file }, { "open", 2, open_file }, { "mknod", 4, make_node },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (argc > 1 && strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].operands)
			return commands[i].run(argv + 2);
	fprintf(stderr, "load: see the head of tests/helpers/load.c\n");
	return 2;
}
