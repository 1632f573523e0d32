/* tests/bench/race.c: runs contestants alternately and prints the medians of what each cost.
 *
 *	race ROUNDS OUTPUT.json < SPEC
 *
 * SPEC has one line a contestant: CASE|PEER|VIEW|SETUP|COMMAND|TEARDOWN. COMMAND is split at spaces and
 * spawned without a shell; SETUP and TEARDOWN go to sh(1) and are not measured; %i is the round. Times
 * are CPU, user and system, of the process and of the children that it waited for, with wall beside
 * them, in milliseconds; rss is the largest of any process in KiB. A contestant that fails in the first
 * round is left out, with the reason on stderr. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONTESTANTS_MAX 128
#define ROUNDS_MAX      1000
#define FIELDS          6

extern char **environ;

enum { CASE, PEER, VIEW, SETUP, COMMAND, TEARDOWN };

struct contestant {
	char *fields[FIELDS];
	double *cpu, *wall, *rss; /* of each round; as small as they can be: what we use counts for our children */
	int rounds;
	int out; /* left the race */
};

static struct contestant contestants[CONTESTANTS_MAX];
static int count;

static char *expand(const char *text, int round)
{
	size_t size = strlen(text) * 4 + 64, len = 0;
	char *out = malloc(size);

	for (const char *p = text; *p; p++) {
		if (p[0] == '%' && p[1] == 'i') {
			len += (size_t)snprintf(out + len, size - len, "%d", round);
			p++;
		} else {
			out[len++] = *p;
		}
	}
	out[len] = '\0';
	return out;
}

/* Run argv with stdout and stderr to /dev/null; cost may be NULL. */
static int run(char **argv, struct rusage *cost, double *wall)
{
	posix_spawn_file_actions_t actions;
	struct timespec from, to;
	struct rusage usage;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (!getenv("RACE_STDERR"))
		posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	int failed = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed)
		return -1;
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (cost)
		*cost = usage;
	if (wall)
		*wall = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int run_shell(const char *text, int round)
{
	char *line = expand(text, round);
	char sh[] = "/bin/sh", c[] = "-c", *argv[] = { sh, c, line, NULL };
	int status = *line ? run(argv, NULL, NULL) : 0;

	free(line);
	return status;
}

static int run_command(const char *text, int round, struct rusage *cost, double *wall)
{
	char *line = expand(text, round), *argv[64], *save = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " ", &save); word && n < 63; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	argv[n] = NULL;
	int status = n ? run(argv, cost, wall) : -1;
	free(line);
	return status;
}

static double milliseconds(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static void race(struct contestant *c, int round)
{
	struct rusage cost;
	double wall;

	if (c->out)
		return;
	int status = run_shell(c->fields[SETUP], round);
	if (status == 0)
		status = run_command(c->fields[COMMAND], round, &cost, &wall);
	run_shell(c->fields[TEARDOWN], round);
	if (status != 0) {
		fprintf(stderr, "race: %s %s: status %d in round %d, left out: %s\n", c->fields[CASE],
			c->fields[PEER], status, round, c->fields[COMMAND]);
		c->out = 1;
		return;
	}
	c->cpu[c->rounds] = milliseconds(cost.ru_utime) + milliseconds(cost.ru_stime);
	c->wall[c->rounds] = wall;
	c->rss[c->rounds] = (double)cost.ru_maxrss;
	c->rounds++;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof *values, compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static int read_spec(int rounds)
{
	char line[8192];

	while (count < CONTESTANTS_MAX && fgets(line, sizeof line, stdin)) {
		char *p = line;

		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		contestants[count].cpu = calloc(3 * (size_t)rounds, sizeof(double));
		contestants[count].wall = contestants[count].cpu + rounds;
		contestants[count].rss = contestants[count].wall + rounds;
		for (int i = 0; i < FIELDS; i++) {
			char *field = strsep(&p, "|");

			if (!field)
				return fprintf(stderr, "race: line without %d fields\n", FIELDS), 2;
			contestants[count].fields[i] = strdup(field);
		}
		count++;
	}
	return 0;
}

/* The peers of one case and view become one row. */
static void write_json(FILE *out)
{
	struct utsname host;

	uname(&host);
	fprintf(out, "{\"machine\":\"Linux %s %s, %ld CPUs\",\"rows\":[", host.release, host.machine,
		sysconf(_SC_NPROCESSORS_ONLN));
	for (int i = 0, first = 1; i < count; i++) {
		struct contestant *head = &contestants[i];
		int seen = 0;

		for (int k = 0; k < i; k++)
			seen |= !strcmp(contestants[k].fields[CASE], head->fields[CASE]) &&
				!strcmp(contestants[k].fields[VIEW], head->fields[VIEW]);
		if (seen)
			continue;
		fprintf(out, "%s\n{\"case\":\"%s\",\"view\":\"%s\",\"unit\":\"ms\",\"better\":\"lower\"", first ? "" : ",",
			head->fields[CASE], head->fields[VIEW]);
		first = 0;
		for (int pass = 0; pass < 3; pass++) {
			static const char *const open[] = { "", ",\"wall\":{", ",\"rss_kib\":{" };
			int any = 0;

			fputs(open[pass], out);
			for (int k = i; k < count; k++) {
				struct contestant *c = &contestants[k];
				double *values = pass == 0 ? c->cpu : pass == 1 ? c->wall : c->rss;

				if (c->rounds == 0 || c->out || strcmp(c->fields[CASE], head->fields[CASE]) ||
				    strcmp(c->fields[VIEW], head->fields[VIEW]))
					continue;
				fprintf(out, "%s\"%s\":%.3f", pass == 0 || any ? "," : "", c->fields[PEER],
					median(values, c->rounds));
				any = 1;
			}
			fputs(pass ? "}" : "", out);
		}
		fputs("}", out);
	}
	fputs("\n]}\n", out);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;

	if (argc != 3 || rounds < 1 || rounds > ROUNDS_MAX)
		return fprintf(stderr, "usage: race ROUNDS OUTPUT.json < SPEC\n"), 2;
	if (read_spec(rounds))
		return 2;
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < count; i++)
			race(&contestants[i], round);
	printf("%-22s %-10s %-6s %10s %10s %10s\n", "case", "peer", "view", "cpu ms", "wall ms", "rss KiB");
	for (int i = 0; i < count; i++) {
		struct contestant *c = &contestants[i];

		if (c->rounds && !c->out)
			printf("%-22s %-10s %-6s %10.2f %10.2f %10.0f\n", c->fields[CASE], c->fields[PEER],
			       c->fields[VIEW], median(c->cpu, c->rounds), median(c->wall, c->rounds),
			       median(c->rss, c->rounds));
	}
	FILE *out = fopen(argv[2], "w");
	if (!out)
		return perror(argv[2]), 1;
	write_json(out);
	return fclose(out) != 0;
}
