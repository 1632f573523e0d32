/* tests/fuzz/runtime_plan.c: any bytes as a start plan; what is accepted can be read to its last string. */
#include <stdint.h>

#include "runtime/plan.h"

/* So that mutations get behind the first checks. */
static void make_plausible(struct plan *p, size_t size)
{
	p->magic = PLAN_MAGIC;
	p->version = PLAN_VERSION;
	p->size = (uint32_t)size;
	((char *)p)[size - 1] = '\0';
}

static size_t read_texts(const struct plan *p, struct plan_list list)
{
	char **texts = plan_strings(p, list);
	size_t sum = 0;

	for (char **t = texts; t && *t; t++)
		sum += strlen(*t);
	free(texts);
	return sum;
}

static size_t read_all(const struct plan *p)
{
	const struct plan_mount *mounts = plan_items(p, p->mounts);
	const struct plan_hook *hooks = plan_items(p, p->hooks_start);
	size_t sum = strlen(plan_string(p, p->id)) + read_texts(p, p->process.args);

	for (uint32_t i = 0; i < p->mounts.count; i++) {
		sum += strlen(plan_string(p, mounts[i].destination));
		sum += read_texts(p, mounts[i].options);
	}
	for (uint32_t i = 0; i < p->hooks_start.count; i++)
		sum += strlen(plan_string(p, hooks[i].path)) + read_texts(p, hooks[i].args);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	/* An allocation of exactly this size: the sanitizer sees each byte behind it. */
	char *copy = malloc(size);
	memcpy(copy, data, size);
	if (size > sizeof(struct plan) && (data[size - 1] & 1))
		make_plausible((struct plan *)copy, size);
	err *e = plan_check(copy, size, 3);
	/* The sum only keeps the reads. */
	if (!e && read_all((struct plan *)copy) == SIZE_MAX)
		__builtin_trap();
	err_free(e);
	free(copy);
	return 0;
}
