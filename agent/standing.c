/* agent/standing.c: OOM score and open files of a Pod's processes. */
#include "agent/standing.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macro.h"

/* The soft limit is what select(2) can name; who needs more asks for it, up to the hard one. */
enum { FILES_SOFT = 1024, FILES_HARD = 524288 };
enum { SCORE_SANDBOX = -998, SCORE_GUARANTEED = -997, SCORE_BURSTABLE_LEAST = 2, SCORE_BURSTABLE_MOST = 999, SCORE_MOST = 1000 };

/* Lowering a score below one's own needs CAP_SYS_RESOURCE over the machine. */
static bool may_lower(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & (1u << CAP_SYS_RESOURCE));
}

static int32_t own_score(void)
{
	auto_str struct str text = STR_INIT(64);
	auto_err err *e = file_read(AT_FDCWD, "/proc/self/oom_score_adj", &text);

	return e ? 0 : (int32_t)strtol(text.data, NULL, 10);
}

void standing_limits(struct standing_limits *ret)
{
	struct rlimit files = { 0 };

	ret->memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	ret->oom_least = may_lower() ? -1000 : own_score();
	ret->files_most = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max : FILES_SOFT;
}

static int32_t burstable(const struct pod *pod, size_t container, uint64_t memory)
{
	const struct pod_resources *r = &pod->spec.containers.items[container].resources;
	const struct quantity *q = r->requests.memory.given ? &r->requests.memory : &r->limits.memory;
	double bytes = q->given ? (double)q->milli / 1000 : 0;
	double score = memory > 0 ? SCORE_MOST - SCORE_MOST * bytes / (double)memory : SCORE_BURSTABLE_MOST;

	return (int32_t)MIN(MAX(score, SCORE_BURSTABLE_LEAST), SCORE_BURSTABLE_MOST);
}

void standing_of(const struct pod *pod, size_t container, const struct standing_limits *limits, struct standing *ret)
{
	const char *class = pod_qos_class(&pod->spec);
	int32_t score = container == STANDING_SANDBOX  ? SCORE_SANDBOX :
			class == pod_guaranteed	       ? SCORE_GUARANTEED :
			class == pod_best_effort       ? SCORE_MOST :
							 burstable(pod, container, limits->memory);

	ret->oom_score = MAX(score, limits->oom_least);
	ret->files_hard = MIN((uint64_t)FILES_HARD, limits->files_most);
	ret->files_soft = MIN((uint64_t)FILES_SOFT, ret->files_hard);
}
