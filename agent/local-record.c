/* agent/local-record.c: container.json, and containers as JSON for people. */
#include <string.h>

#include "agent/local-internal.h"
#include "base/clock.h"
#include "base/decode.h"
#include "base/file.h"

#define RECORD_FILE "container.json"

/* clang-format off */
static const struct enum_name network_names[] = {
	{ "none", BUNDLE_NET_NEW }, { "join", BUNDLE_NET_JOIN }, { "host", BUNDLE_NET_HOST }, {0}
};
const struct enum_name local_status_names[] = {
	{ "created", LOCAL_CREATED }, { "running", LOCAL_RUNNING }, { "exited", LOCAL_EXITED }, {0}
};
static const struct type t_version = UINT_RANGE("version", uint32_t, 1, LOCAL_VERSION);
static const struct type t_network = ENUM("network", network_names);
static const struct type t_files = UINT_RANGE("number of files", unsigned, 2, 1000);
static const struct field range_fields[] = {
	FIELD(struct id_range, "first", first, t_u32, REQUIRED, NULL),
	FIELD(struct id_range, "size",  size,  t_u32, REQUIRED, NULL),
	{0}
};
static const struct field log_fields[] = {
	FIELD(struct monitor_log_limits, "size",  size,  t_u64,   REQUIRED, NULL),
	FIELD(struct monitor_log_limits, "files", files, t_files, REQUIRED, NULL),
	{0}
};
static const struct type t_range = OBJECT("id range", struct id_range, range_fields);
static const struct type t_log = OBJECT("log limits", struct monitor_log_limits, log_fields);
static const struct field fields[] = {
	FIELD(struct local_record, "version",     version,      t_version,  REQUIRED, NULL),
	FIELD(struct local_record, "name",        name,         t_nonempty, REQUIRED, NULL),
	FIELD(struct local_record, "created",     created,      t_i64,      REQUIRED, NULL),
	FIELD(struct local_record, "image",       image,        t_string,   0, NULL),
	FIELD(struct local_record, "imageDigest", image_digest, t_string,   0, NULL),
	FIELD(struct local_record, "store",       store,        t_string,   0, NULL),
	FIELD(struct local_record, "rootfs",      rootfs,       t_string,   0, NULL),
	FIELD(struct local_record, "user",        user,         t_string,   0, NULL),
	FIELD(struct local_record, "network",     network,      t_network,  0, "\"none\""),
	FIELD(struct local_record, "netnsPath",   netns_path,   t_string,   0, NULL),
	FIELD(struct local_record, "ids",         ids,          t_range,    OMIT_ZERO, NULL),
	FIELD(struct local_record, "runtime",     runtime,      t_nonempty, REQUIRED, NULL),
	FIELD(struct local_record, "runtimeArgs", runtime_args, t_strings,  0, NULL),
	FIELD(struct local_record, "cgroupsPath", cgroups_path, t_string,   0, NULL),
	FIELD(struct local_record, "stopSignal",  stop_signal,  t_string,   0, "\"SIGTERM\""),
	FIELD(struct local_record, "log",         log,          t_log,      REQUIRED, NULL),
	FIELD(struct local_record, "autoRemove",  auto_remove,  t_bool,     OMIT_ZERO, NULL),
	FIELD(struct local_record, "pod",         pod,          t_pod,      REQUIRED, NULL),
	FIELD(struct local_record, "podContainer", container,   t_u32,      OMIT_ZERO, NULL),
	{0}
};
static const struct type t_record = OBJECT("container", struct local_record, fields);
/* clang-format on */

err *local_record_read(struct arena *arena, int keep_fd, struct local_record *ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	struct decoder d = { .arena = arena, .name = RECORD_FILE };

	TRY(file_read(keep_fd, RECORD_FILE, &text));
	return decode_text(&d, &t_record, NULL, text.data, text.len, ret);
}

err *local_record_write(int keep_fd, const struct local_record *r)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	encode_text(&text, &t_record, r, 0);
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	return file_replace(keep_fd, RECORD_FILE, text.data, text.len, 0600);
}

static void time_member(struct json_writer *w, const char *key, int64_t nsec)
{
	char text[CLOCK_TEXT_MAX];

	if (nsec > 0)
		json_member_string(w, key, clock_text(nsec, true, text));
}

/* status first, then what was asked for, as the record's table writes it. */
void local_encode(struct json_writer *w, const struct local_container *c)
{
	json_begin_object(w);
	json_member_string(w, "name", c->record.name);
	json_member_string(w, "status", enum_name(local_status_names, c->status));
	if (c->pid > 0)
		json_member_int(w, "pid", c->pid);
	time_member(w, "createdAt", c->record.created);
	time_member(w, "startedAt", c->started);
	time_member(w, "finishedAt", c->finished);
	if (c->status == LOCAL_EXITED) {
		json_member_uint(w, "exitCode", c->code);
		if (c->signal)
			json_member_uint(w, "signal", c->signal);
		json_member_bool(w, "exitKnown", c->known);
		json_member_bool(w, "oomKilled", c->oom);
	}
	if (c->reason)
		json_member_string(w, "reason", c->reason);
	json_key(w, "container");
	encode(w, &t_record, &c->record);
	json_end_object(w);
}
