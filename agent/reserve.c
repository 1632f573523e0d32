/* agent/reserve.c: what a node keeps for the machine itself. */
#include "agent/reserve.h"

#include <inttypes.h>
#include <string.h>

#define GIB ((int64_t)1 << 30)
#define MIB ((int64_t)1 << 20)
/* A twentieth of the processors, of which the kernel, the journal and the agent's answers need little on any machine. */
enum { CPU_PART = 20, CPU_LEAST = 100, CPU_MOST = 2000 };
#define MEMORY_LEAST (128 * MIB)
/* Of a tenth of the tasks something is left to log in with: as the condition PIDPressure has it. */
enum { TASKS_PART = 10 };
/* Weight of each of those beside /stube.slice (system.slice, user.slice), which the kernel gives and the service manager keeps. */
enum { WEIGHT_BESIDE = 100, WEIGHT_MOST = 10000 };

/* clang-format off */
static const struct { int64_t up_to; int percent; } memory_bands[] = {
	{ 4 * GIB, 10 }, { 16 * GIB, 5 }, { 128 * GIB, 2 }, { INT64_MAX, 1 },
};
/* clang-format on */

void reserve_by_size(unsigned cpus, int64_t memory, struct reserve *ret)
{
	int64_t begin = 0, sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(memory_bands) && memory > begin; i++) {
		sum += (MIN(memory, memory_bands[i].up_to) - begin) / 100 * memory_bands[i].percent;
		begin = memory_bands[i].up_to;
	}
	/* On the smallest machines a quarter is the machine's. */
	ret->memory = MIN(MAX(sum, MEMORY_LEAST), memory / 4) / MIB * MIB;
	ret->cpu = MIN(MAX((int64_t)cpus * 1000 / CPU_PART, CPU_LEAST), CPU_MOST);
}

err *reserve_parse(const char *text, struct reserve *ret)
{
	struct reserve r = *ret;
	auto_free char *copy = strdup(text);
	char *save = NULL;

	if (!copy)
		return err_oom();
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(word, '=');
		struct quantity q;
		if (!equals || !quantity_parse(equals + 1, &q))
			return err_new(EINVAL, "'%s' is no NAME=AMOUNT such as cpu=500m or memory=1Gi", word);
		*equals = '\0';
		if (strcmp(word, "cpu") == 0)
			r.cpu = q.milli;
		else if (strcmp(word, "memory") == 0)
			r.memory = quantity_units(&q);
		else
			return err_new(EINVAL, "'%s' cannot be reserved: cpu and memory can", word);
	}
	*ret = r;
	return NULL;
}

err *reserve_decide(unsigned cpus, int64_t memory, struct reserve *r)
{
	struct reserve usual;

	reserve_by_size(cpus, memory, &usual);
	if (r->cpu < 0)
		r->cpu = usual.cpu;
	if (r->memory < 0)
		r->memory = usual.memory;
	if (r->cpu > 0 && r->cpu >= (int64_t)cpus * 1000)
		return err_new(EINVAL, "%" PRId64 "m of processors are reserved, and the machine has %u: nothing is left for Pods",
			       r->cpu, cpus);
	if (r->memory > 0 && r->memory >= memory)
		return err_new(EINVAL, "%" PRId64 " bytes of memory are reserved, and the machine has %" PRId64
			       ": nothing is left for Pods", r->memory, memory);
	return NULL;
}

void reserve_share(unsigned cpus, int64_t memory, int64_t tasks_max, const struct reserve *r, struct slice_values *ret)
{
	int64_t left = (int64_t)cpus * 1000 - r->cpu;

	*ret = (struct slice_values){
		.memory_max = r->memory > 0 ? memory - r->memory : -1,
		.memory_low = -1, /* the sum of what Pods ask for */
		.cpu_quota = -1,  /* what the machine does not use is theirs */
		/* Against one busy neighbour it comes to exactly what is left. */
		.cpu_weight = r->cpu > 0 ? MIN(MAX(WEIGHT_BESIDE * left / r->cpu, 1), WEIGHT_MOST) : WEIGHT_MOST,
		.pids_max = tasks_max > 0 && tasks_max < INT32_MAX ? tasks_max - tasks_max / TASKS_PART : -1,
	};
}
