/* agent/slices.c: the cgroups above a Pod's containers. */
#include "agent/slices.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/slices-internal.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#define SUFFIX ".slice"
/* The sandbox: a process of 100 KiB, what the kernel keeps of a Pod's namespaces, and what is left of containers that ended
 * (files in memory of a volume) and belongs to the Pod from then on. */
#define OVERHEAD_MEMORY ((int64_t)8 << 20)
#define OVERHEAD_TASKS	16
#define WEIGHT_MOST	10000
#define CPU_MOST	((int64_t)1000000000) /* thousandths of a processor: a million of them */
#define TASKS_MOST	4194304		      /* no kernel counts further: PID_MAX_LIMIT */

static const char *const controllers[] = { "+cpu", "+io", "+memory", "+pids" };

/* ---- names ---- */

static void add_escaped(struct str *out, const char *name)
{
	for (const char *c = name; *c; c++) {
		if (isalnum((unsigned char)*c) || (*c == '.' && c > name))
			str_add_char(out, *c);
		else if (*c == '-')
			str_add_char(out, '_');
		else
			str_addf(out, "\\x%02x", (unsigned char)*c);
	}
}

err *slices_path(const char *tenant, const char *uid, char out[static SLICES_PATH_MAX])
{
	auto_str struct str t = STR_INIT(SLICES_PATH_MAX), pod = STR_INIT(SLICES_PATH_MAX);

	add_escaped(&t, tenant);
	add_escaped(&pod, uid);
	int len = snprintf(out, SLICES_PATH_MAX, SLICES_ROOT "/stube-%s" SUFFIX "/stube-%s-pod%s" SUFFIX, t.data, t.data, pod.data);
	if (t.failed || pod.failed || len >= SLICES_PATH_MAX || !path_is_name(slices_unit(out)) || t.len == 0 || pod.len == 0)
		return err_new(ENAMETOOLONG, "no slice can be named after the Pod '%.80s' of '%.80s'", uid, tenant);
	return NULL;
}

const char *slices_unit(const char *path)
{
	return strrchr(path, '/') + 1;
}

bool slices_is_path(const char *path)
{
	return strlen(path) < SLICES_PATH_MAX && str_starts_with(path, SLICES_ROOT "/stube-") && str_ends_with(path, SUFFIX) &&
	       !strstr(path, "//") && !strstr(path, "/.") && strchr(path + strlen(SLICES_ROOT "/"), '/');
}

/* ---- a Pod's values ---- */

static int64_t weight_of(int64_t milli)
{
	return MIN(MAX(milli / 10, 1), WEIGHT_MOST);
}

/* One container without a limit is one too many. Nothing overflows: a Pod has few, and a quantity counts thousandths. */
static void add_limit(int64_t *sum, const struct quantity *q, int64_t value)
{
	if (*sum >= 0)
		*sum = q->given ? *sum + value : -1;
}

static const struct quantity *request(const struct quantity *asked, const struct quantity *limit)
{
	return asked->given ? asked : limit;
}

void slices_of_pod(const struct pod *pod, struct slice_values *ret)
{
	const char *tasks = string_map_get(&pod->metadata.annotations, POD_PIDS_LIMIT);
	struct slice_values v = { .pids_max = -1 };
	int64_t milli = 0;
	uint64_t each;

	for (size_t i = 0; i < pod->spec.containers.count; i++) {
		const struct pod_resources *r = &pod->spec.containers.items[i].resources;
		add_limit(&v.memory_max, &r->limits.memory, quantity_units(&r->limits.memory));
		add_limit(&v.cpu_quota, &r->limits.cpu, MIN(r->limits.cpu.milli, CPU_MOST) * SLICES_CPU_PERIOD / 1000);
		v.memory_low += quantity_units(request(&r->requests.memory, &r->limits.memory));
		milli += MIN(request(&r->requests.cpu, &r->limits.cpu)->milli, CPU_MOST);
	}
	if (v.memory_max >= 0)
		v.memory_max += OVERHEAD_MEMORY;
	if (v.cpu_quota >= 0)
		v.cpu_quota = MAX(v.cpu_quota, 1000);
	if (tasks && str_to_u64(tasks, &each) && each < TASKS_MOST / pod->spec.containers.count - OVERHEAD_TASKS)
		v.pids_max = (int64_t)(each * pod->spec.containers.count) + OVERHEAD_TASKS;
	v.cpu_weight = weight_of(milli);
	*ret = v;
}

/* ---- files ---- */

/* One that is missing belongs to a controller that is missing. */
static err *put(int fd, const char *file, const char *value)
{
	err *e = file_put(fd, file, value);

	if (e && e->code == ENOENT) {
		err_free(e);
		return NULL;
	}
	return e;
}

static err *put_limit(int fd, const char *file, int64_t value)
{
	char text[32] = "max";

	if (value >= 0)
		snprintf(text, sizeof(text), "%" PRId64, value);
	return put(fd, file, text);
}

static err *put_values(int fd, const struct slice_values *v)
{
	char quota[64], weight[32];

	snprintf(quota, sizeof(quota), v->cpu_quota >= 0 ? "%" PRId64 " %d" : "max", v->cpu_quota, SLICES_CPU_PERIOD);
	snprintf(weight, sizeof(weight), "%" PRId64, v->cpu_weight);
	TRY(put_limit(fd, "memory.max", v->memory_max));
	if (v->memory_low >= 0)
		TRY(put_limit(fd, "memory.low", v->memory_low));
	TRY(put(fd, "cpu.max", quota));
	if (v->cpu_weight > 0)
		TRY(put(fd, "cpu.weight", weight));
	return put_limit(fd, "pids.max", v->pids_max);
}

static bool read_number(int fd, const char *file, int64_t *ret)
{
	auto_str struct str text = STR_INIT(256);
	auto_err err *e = file_read(fd, file, &text);

	text.data[strcspn(text.data, "\n")] = '\0';
	return !e && str_to_i64(text.data, ret) && *ret >= 0;
}

/* Hand on what there is; the kernel refuses what it cannot give. */
static void enable(int fd)
{
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++)
		IGNORE(file_put(fd, "cgroup.subtree_control", controllers[i]));
}

/* ---- directories ---- */

err *slices_open(int fd, const char *name, bool make, int *ret_fd)
{
	if (make && mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
		return err_errno("make the cgroup '%s'", name);
	*ret_fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_errno("open the cgroup '%s'", name);
	/* Whatever our umask is: a container whose root is another user passes through it to what is its own. */
	if (make && fchmod(*ret_fd, 0755) < 0) {
		err *e = err_errno("open the cgroup '%s' to all", name);
		fd_clear(ret_fd);
		return e;
	}
	return NULL;
}

/* /stube.slice, which nobody removes, with the lock that ends with the descriptor. */
err *slices_lock(int root_fd, bool make, int *ret_fd)
{
	auto_close int fd = -1;

	if (make)
		enable(root_fd);
	TRY(slices_open(root_fd, &SLICES_ROOT[1], make, &fd));
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno("lock '" SLICES_ROOT "'");
	if (make)
		enable(fd);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* Weight and protection of a slice are the sum of those in it: a tenant with one Pod does not outweigh one with a hundred, and
 * memory is protected only as far as it is all the way up. */
err *slices_sums(int fd, int64_t *ret_weight, int64_t *ret_low)
{
	auto_close int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	int64_t weight = 0, low = 0, value;

	if (!dir)
		return err_errno("list a slice");
	(void)TAKE_FD(own);
	for (struct dirent *d; (d = readdir(dir));) {
		auto_close int child = -1;
		if (d->d_type != DT_DIR || !str_ends_with(d->d_name, SUFFIX))
			continue;
		child = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0 && read_number(child, "cpu.weight", &value))
			weight += value;
		if (child >= 0 && read_number(child, "memory.low", &value))
			low += MIN(value, INT64_MAX - low);
	}
	closedir(dir);
	*ret_weight = MIN(MAX(weight, 1), WEIGHT_MOST);
	*ret_low = low;
	return NULL;
}

static err *sum_up(int fd, bool weigh)
{
	int64_t weight, low;
	char text[32];

	TRY(slices_sums(fd, &weight, &low));
	snprintf(text, sizeof(text), "%" PRId64, weight);
	if (weigh)
		TRY(put(fd, "cpu.weight", text));
	return put_limit(fd, "memory.low", low);
}

err *slices_fit(int fd, struct slice_values *share)
{
	int64_t used = 0, limit = 0, wanted = share->memory_max;

	if (wanted < 0 || !read_number(fd, "memory.current", &used) || used <= wanted ||
	    (read_number(fd, "memory.max", &limit) && limit <= wanted))
		return NULL;
	share->memory_max = limit > 0 ? limit : -1;
	return err_new(EBUSY,
		       "Pods use %" PRId64 " bytes of memory, more than the %" PRId64
		       " that are not reserved for the machine: the limit waits",
		       used, wanted);
}

err *slices_share(int root_fd, const struct slice_values *share)
{
	auto_close int fd = -1;

	TRY(slices_lock(root_fd, true, &fd));
	struct slice_values fitting = *share;
	err *e = slices_fit(fd, &fitting);
	err *failed = put_values(fd, &fitting);
	if (!e)
		return failed;
	err_free(failed);
	return e;
}

/* "/stube.slice/TENANT/POD" in two. */
err *slices_split(const char *path, char tenant[static SLICES_PATH_MAX], const char **ret_pod)
{
	if (!slices_is_path(path))
		return err_new(EINVAL, "'%s' is no slice of a Pod", path);
	snprintf(tenant, SLICES_PATH_MAX, "%s", path + strlen(SLICES_ROOT "/"));
	char *slash = strchr(tenant, '/');
	*slash = '\0';
	*ret_pod = slash + 1;
	if (!path_is_name(tenant) || !path_is_name(*ret_pod))
		return err_new(EINVAL, "'%s' is no slice of a Pod", path);
	return NULL;
}

err *slices_make(int root_fd, const char *path, const struct slice_values *values)
{
	auto_close int all = -1, tenant = -1, pod = -1;
	char name[SLICES_PATH_MAX];
	const char *pod_name;

	TRY(slices_split(path, name, &pod_name));
	TRY(slices_lock(root_fd, true, &all));
	TRY(slices_open(all, name, true, &tenant));
	enable(tenant);
	TRY(slices_open(tenant, pod_name, true, &pod));
	enable(pod);
	TRY(err_wrap(put_values(pod, values), "slice '%s'", pod_name));
	TRY(sum_up(tenant, true));
	return sum_up(all, false);
}

/* What a runtime left of its containers; a busy one shows when its parent is removed. */
static void remove_children(int fd)
{
	auto_close int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);

	if (!dir)
		return;
	(void)TAKE_FD(own);
	for (struct dirent *d; (d = readdir(dir));)
		if (d->d_type == DT_DIR && d->d_name[0] != '.')
			unlinkat(fd, d->d_name, AT_REMOVEDIR);
	closedir(dir);
}

static err *remove_pod(int tenant, const char *pod_name)
{
	auto_close int pod = -1;

	if (unlinkat(tenant, pod_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return NULL;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return err_errno("remove the slice '%s'", pod_name);
	TRY(slices_open(tenant, pod_name, false, &pod));
	remove_children(pod);
	if (unlinkat(tenant, pod_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno("remove the slice '%s'", pod_name);
	return NULL;
}

static bool is_gone(err *e)
{
	bool gone = e && e->code == ENOENT;

	if (gone)
		err_free(e);
	return gone;
}

err *slices_remove(int root_fd, const char *path)
{
	auto_close int all = -1, tenant = -1;
	char name[SLICES_PATH_MAX];
	const char *pod_name;

	TRY(slices_split(path, name, &pod_name));
	err *e = slices_lock(root_fd, false, &all);
	if (!e)
		e = slices_open(all, name, false, &tenant);
	if (is_gone(e))
		return NULL;
	TRY(e);
	TRY(remove_pod(tenant, pod_name));
	if (unlinkat(all, name, AT_REMOVEDIR) < 0)
		TRY(sum_up(tenant, true));
	return sum_up(all, false);
}

/* ---- what others left ---- */

bool slices_is_empty(int fd)
{
	auto_str struct str text = STR_INIT(4096);
	auto_err err *e = file_read(fd, "cgroup.events", &text);

	return !e && strstr(text.data, "populated 0\n");
}

/* Nothing runs in it, and nothing was made in it lately: an agent that makes one fills it at once. */
static bool is_left(int fd, int64_t before)
{
	struct stat st;

	return slices_is_empty(fd) && fstat(fd, &st) == 0 && st.st_mtim.tv_sec < before;
}

static bool sweep_pod(int tenant, const char *name, int64_t before)
{
	auto_close int pod = -1;
	err *e = slices_open(tenant, name, false, &pod);

	if (!e && !is_left(pod, before))
		return false;
	if (!e)
		e = remove_pod(tenant, name);
	bool gone = !e;
	err_free(e);
	return gone;
}

/* fn for each slice directly in `fd`; how often it said true. */
static size_t each_slice(int fd, bool (*fn)(int fd, const char *name, int64_t before), int64_t before)
{
	auto_close int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	size_t count = 0;

	if (!dir)
		return 0;
	(void)TAKE_FD(own);
	for (struct dirent *d; (d = readdir(dir));)
		if (d->d_type == DT_DIR && str_starts_with(d->d_name, "stube-") &&
		    str_ends_with(d->d_name, SUFFIX))
			count += fn(fd, d->d_name, before);
	closedir(dir);
	return count;
}

static bool sweep_tenant(int all, const char *name, int64_t before)
{
	auto_close int tenant = -1;
	err *e = slices_open(all, name, false, &tenant);

	if (!e && each_slice(tenant, sweep_pod, before) > 0 && unlinkat(all, name, AT_REMOVEDIR) < 0)
		e = sum_up(tenant, true);
	err_free(e);
	return false;
}

err *slices_sweep(int root_fd, int64_t before)
{
	auto_close int all = -1;
	err *e = slices_lock(root_fd, false, &all);

	if (is_gone(e))
		return NULL;
	TRY(e);
	(void)each_slice(all, sweep_tenant, before);
	return sum_up(all, false);
}
