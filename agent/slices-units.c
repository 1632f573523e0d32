/* agent/slices-units.c: the cgroups above a Pod's containers as units of the service manager. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "agent/slices-internal.h"
#include "base/fd.h"
#include "net/units.h"

#define TOP	     (&SLICES_ROOT[1])
#define SETTINGS_MAX 5
#define PERCENT	     10000 /* of a second, in microseconds: what the service manager keeps a quota in */

static uint64_t limit(int64_t value)
{
	return value < 0 ? UINT64_MAX : (uint64_t)value;
}

/* Rounded up to whole percents: a Pod never gets less than it was promised. */
static uint64_t quota(int64_t value)
{
	if (value < 0)
		return UINT64_MAX;
	return ((uint64_t)value * (1000000 / SLICES_CPU_PERIOD) + PERCENT - 1) / PERCENT * PERCENT;
}

static err *set(const char *unit, const struct slice_values *v)
{
	struct unit_setting s[SETTINGS_MAX] = {
		{ "MemoryMax", limit(v->memory_max) },
		{ "CPUQuotaPerSecUSec", quota(v->cpu_quota) },
		{ "TasksMax", limit(v->pids_max) },
	};
	size_t count = 3;

	if (v->memory_low >= 0)
		s[count++] = (struct unit_setting){ "MemoryLow", (uint64_t)v->memory_low };
	if (v->cpu_weight > 0)
		s[count++] = (struct unit_setting){ "CPUWeight", (uint64_t)v->cpu_weight };
	return units_slice(unit, s, count);
}

static err *weigh(const char *unit, int fd, bool tenant)
{
	struct slice_values sums = { .memory_max = -1 };

	TRY(slices_sums(fd, &sums.cpu_weight, &sums.memory_low));
	const struct unit_setting s[] = {
		{ "MemoryLow", (uint64_t)sums.memory_low },
		{ "CPUWeight", (uint64_t)sums.cpu_weight },
	};
	return units_slice(unit, s, tenant ? 2 : 1);
}

/* As of directories: a limit that would kill waits. */
err *slices_units_share(int root_fd, const struct slice_values *share)
{
	auto_close int fd = openat(root_fd, TOP, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct slice_values fitting = *share;
	err *waits = fd < 0 ? NULL : slices_fit(fd, &fitting);
	err *e = set(TOP, &fitting);

	if (!waits)
		return e;
	err_free(e);
	return waits;
}

/* The tenant's comes first: a slice that the service manager starts by its name alone keeps settings beyond
 * its end. */
err *slices_units_make(int root_fd, const char *path, const struct slice_values *values)
{
	auto_close int all = -1, tenant = -1;
	char name[SLICES_PATH_MAX];
	const char *pod_name;

	TRY(slices_split(path, name, &pod_name));
	if (faccessat(root_fd, TOP, F_OK, 0) < 0)
		TRY(units_slice(TOP, NULL, 0));
	TRY(slices_lock(root_fd, false, &all));
	TRY(units_slice(name, NULL, 0));
	TRY(set(pod_name, values));
	TRY(slices_open(all, name, false, &tenant));
	TRY(weigh(name, tenant, true));
	return weigh(TOP, all, false);
}

static bool has_slices(int fd)
{
	auto_close int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	bool any = false;

	if (!dir)
		return true;
	(void)TAKE_FD(own);
	for (struct dirent *d; !any && (d = readdir(dir));)
		any = d->d_type == DT_DIR && str_ends_with(d->d_name, ".slice");
	closedir(dir);
	return any;
}

/* Stopping a slice would stop what is in it: looked at under the lock under which slices are made. */
static err *stop_pod(int tenant, const char *name)
{
	auto_close int pod = openat(tenant, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (pod >= 0 && !slices_is_empty(pod))
		return err_new(EBUSY, "remove the slice '%s'", name);
	return units_stop(name);
}

err *slices_units_remove(int root_fd, const char *path)
{
	auto_close int all = -1, tenant = -1;
	char name[SLICES_PATH_MAX];
	const char *pod_name;

	TRY(slices_split(path, name, &pod_name));
	if (faccessat(root_fd, TOP, F_OK, 0) < 0)
		return NULL;
	TRY(slices_lock(root_fd, false, &all));
	if (faccessat(all, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	TRY(slices_open(all, name, false, &tenant));
	TRY(stop_pod(tenant, pod_name));
	TRY(has_slices(tenant) ? weigh(name, tenant, true) : units_stop(name));
	return weigh(TOP, all, false);
}
