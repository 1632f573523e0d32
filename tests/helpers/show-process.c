/* tests/helpers/show-process.c: what the kernel says about this process, one "NAME VALUE..." a line. */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

struct attributes { /* struct sched_attr of sched_setattr(2) */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static void scheduler(void)
{
	struct attributes a = { 0 };

	if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) < 0)
		return;
	printf("scheduler policy %u flags %llu nice %d priority %u runtime %llu deadline %llu period %llu\n",
	       a.policy, (unsigned long long)a.flags, a.nice, a.priority, (unsigned long long)a.runtime,
	       (unsigned long long)a.deadline, (unsigned long long)a.period);
	printf("utilisation %u %u\n", a.util_min, a.util_max);
}

static void memory_policy(void)
{
	unsigned long nodes[64] = { 0 };
	int mode = 0;

	if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, NULL, 0UL) == 0)
		printf("memory-policy mode 0x%x nodes 0x%lx\n", (unsigned)mode, nodes[0]);
}

static void affinity(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return;
	printf("affinity");
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			printf(" %d", i);
	printf("\n");
}

int main(void)
{
	struct utsname names;
	struct timespec boot, monotonic;
	long io = syscall(SYS_ioprio_get, 1, 0);

	scheduler();
	memory_policy();
	affinity();
	if (io >= 0)
		printf("io class %ld level %ld\n", io >> 13, io & 7);
	printf("personality 0x%x\n", (unsigned)personality(0xffffffff));
	if (uname(&names) == 0)
		printf("names host %s domain %s machine %s\n", names.nodename, names.domainname,
		       names.machine);
	if (clock_gettime(CLOCK_BOOTTIME, &boot) == 0 && clock_gettime(CLOCK_MONOTONIC, &monotonic) == 0)
		printf("clocks boottime %lld monotonic %lld\n", (long long)boot.tv_sec,
		       (long long)monotonic.tv_sec);
	return 0;
}
