/* runtime/cgroup-stats.c: reading what the kernel counts for a container. */
#include "runtime/cgroup-internal.h"

#include <stddef.h>

#include "base/file.h"

/* file, key in a flat keyed file (NULL: the file is one number), where it goes */
#define FIGURE(file, key, member) { file, key, offsetof(struct cgroup_stats, member) }
static const struct figure {
	const char *file, *key;
	size_t offset;
} figures[] = {
	FIGURE("cpu.stat", "usage_usec", cpu_usage_usec),
	FIGURE("cpu.stat", "user_usec", cpu_user_usec),
	FIGURE("cpu.stat", "system_usec", cpu_system_usec),
	FIGURE("cpu.stat", "nr_periods", cpu_periods),
	FIGURE("cpu.stat", "nr_throttled", cpu_throttled),
	FIGURE("cpu.stat", "throttled_usec", cpu_throttled_usec),
	FIGURE("memory.current", NULL, memory_current),
	FIGURE("memory.peak", NULL, memory_peak),
	FIGURE("memory.max", NULL, memory_limit),
	FIGURE("memory.swap.current", NULL, swap_current),
	FIGURE("memory.swap.max", NULL, swap_limit),
	FIGURE("memory.stat", "anon", memory_anon),
	FIGURE("memory.stat", "file", memory_file),
	FIGURE("memory.stat", "kernel", memory_kernel),
	FIGURE("memory.events", "oom", oom_events),
	FIGURE("memory.events", "oom_kill", oom_kills),
	FIGURE("pids.current", NULL, pids_current),
	FIGURE("pids.max", NULL, pids_limit),
};

static uint64_t *member(struct cgroup_stats *stats, size_t offset)
{
	return (uint64_t *)((char *)stats + offset);
}

/* True when the file is there. */
static err *read_file(int fd, const char *name, struct str *out, bool *ret_found)
{
	str_clear(out);
	err *e = file_read(fd, name, out);

	*ret_found = !e;
	/* A controller that is off, or a directory that was just removed, has no figures. */
	if (e && (e->code == ENOENT || e->code == ENODEV || e->code == EOPNOTSUPP)) {
		err_free(e);
		return NULL;
	}
	return e;
}

static bool find_key(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		char number[24] = "";
		if (strncmp(line, key, len) != 0 || line[len] != ' ')
			continue;
		size_t digits = strcspn(line + len + 1, "\n");
		memcpy(number, line + len + 1, MIN(digits, sizeof number - 1));
		return str_to_u64(number, ret);
	}
	return false;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ...", a line a device. */
static void add_io(char *text, struct cgroup_stats *stats)
{
	static const struct {
		const char *key;
		size_t offset;
	} keys[] = {
		{ "rbytes=", offsetof(struct cgroup_stats, io_read_bytes) },
		{ "wbytes=", offsetof(struct cgroup_stats, io_written_bytes) },
		{ "rios=", offsetof(struct cgroup_stats, io_reads) },
		{ "wios=", offsetof(struct cgroup_stats, io_writes) },
	};
	char *save = NULL;

	for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			uint64_t value;
			if (str_starts_with(word, keys[i].key) &&
			    str_to_u64(word + strlen(keys[i].key), &value))
				*member(stats, keys[i].offset) += value;
		}
	}
}

static err *read_io(int fd, struct str *text, struct cgroup_stats *stats)
{
	bool found;

	TRY(read_file(fd, "io.stat", text, &found));
	if (!found)
		return NULL;
	stats->io_read_bytes = stats->io_written_bytes = stats->io_reads = stats->io_writes = 0;
	add_io(text->data, stats);
	return NULL;
}

/* "0.35" as 35; what is no such number is no figure. */
static uint64_t hundredths(const char *text)
{
	char digits[24] = "";
	const char *dot = strchr(text, '.');
	size_t whole = dot ? (size_t)(dot - text) : 0;
	uint64_t value;

	if (!dot || whole + 2 >= sizeof digits || strlen(dot + 1) != 2)
		return CGROUP_NO_FIGURE;
	memcpy(digits, text, whole);
	memcpy(digits + whole, dot + 1, 2);
	return str_to_u64(digits, &value) ? value : CGROUP_NO_FIGURE;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", then the same for full. */
static void add_pressure(char *text, struct cgroup_pressure *some, struct cgroup_pressure *full)
{
	struct cgroup_pressure *now = some;
	char *save = NULL;

	for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		char *value = strchr(word, '=');
		if (!value) {
			now = str_equal(word, "full") ? full : some;
			continue;
		}
		*value++ = '\0';
		if (str_equal(word, "total") && !str_to_u64(value, &now->total_usec))
			now->total_usec = CGROUP_NO_FIGURE;
		else if (str_equal(word, "avg10"))
			now->avg10 = hundredths(value);
		else if (str_equal(word, "avg60"))
			now->avg60 = hundredths(value);
		else if (str_equal(word, "avg300"))
			now->avg300 = hundredths(value);
	}
}

static err *read_pressure(int fd, struct str *text, struct cgroup_stats *stats)
{
	static const char *const files[PRESSURE_COUNT] = { "cpu.pressure", "memory.pressure", "io.pressure" };
	bool found;

	for (size_t i = 0; i < PRESSURE_COUNT; i++) {
		TRY(read_file(fd, files[i], text, &found));
		if (found)
			add_pressure(text->data, &stats->some[i], &stats->full[i]);
	}
	return NULL;
}

err *cgroup_read_stats(const struct cgroup *cg, struct cgroup_stats *ret)
{
	auto_str struct str text = STR_INIT(CGROUP_FILE_MAX);
	const char *read_last = "";
	bool found = false;
	struct cgroup_stats stats;

	if (cg->fd < 0)
		return err_new(ENOENT, "the container has no cgroup");
	memset(&stats, 0xff, sizeof stats); /* CGROUP_NO_FIGURE everywhere */
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		const struct figure *f = &figures[i];
		uint64_t value;
		if (!str_equal(read_last, f->file))
			TRY(read_file(cg->fd, f->file, &text, &found));
		read_last = f->file;
		if (found && !f->key)
			text.data[strcspn(text.data, "\n")] = '\0';
		/* "max" is no number and so no limit. */
		if (found && (f->key ? find_key(text.data, f->key, &value) : str_to_u64(text.data, &value)))
			*member(&stats, f->offset) = value;
	}
	TRY(read_io(cg->fd, &text, &stats));
	TRY(read_pressure(cg->fd, &text, &stats));
	*ret = stats;
	return NULL;
}
