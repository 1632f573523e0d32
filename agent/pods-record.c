/* agent/pods-record.c: what a node knows of its Pods across restarts: pod.json, lease.json, names. */
#include <stdio.h>
#include <string.h>

#include "agent/pods-internal.h"
#include "base/clock.h"
#include "base/decode.h"
#include "base/file.h"

#define LEASE_FILE    "lease.json"
#define LEASE_VERSION 1

/* clang-format off */
static const struct type t_version = UINT_RANGE("version", uint32_t, 1, PODS_RECORD_VERSION);
static const struct field range_fields[] = {
	FIELD(struct id_range, "first", first, t_u32, REQUIRED, NULL),
	FIELD(struct id_range, "size",  size,  t_u32, REQUIRED, NULL),
	{0}
};
static const struct field container_fields[] = {
	FIELD(struct pods_record_container, "attempt",     attempt,     t_u32,    0, NULL),
	FIELD(struct pods_record_container, "crashes",     crashes,     t_u32,    OMIT_ZERO, NULL),
	FIELD(struct pods_record_container, "interrupted", interrupted, t_u32,    OMIT_ZERO, NULL),
	FIELD(struct pods_record_container, "imageDigest", image,       t_string, 0, NULL),
	FIELD(struct pods_record_container, "imageID",     image_id,    t_string, 0, NULL),
	{0}
};
static const struct field claim_fields[] = {
	FIELD(struct pods_record_claim, "name", claim, t_nonempty, REQUIRED, NULL),
	FIELD(struct pods_record_claim, "uid",  uid,   t_nonempty, REQUIRED, NULL),
	{0}
};
static const struct type t_range = OBJECT("id range", struct id_range, range_fields);
static const struct type t_container = OBJECT("container", struct pods_record_container, container_fields);
static const struct type t_containers = ARRAY_OF_MAX(t_container, PODS_CONTAINERS_MAX);
static const struct type t_record_claim = OBJECT("claim", struct pods_record_claim, claim_fields);
static const struct type t_claims = ARRAY_OF_MAX(t_record_claim, PODS_CONTAINERS_MAX);
static const struct field record_fields[] = {
	FIELD(struct pods_record, "version",         version,    t_version,    REQUIRED, NULL),
	FIELD(struct pods_record, "taken",           taken,      t_i64,        REQUIRED, NULL),
	FIELD(struct pods_record, "bootID",          boot_id,    t_string,     0, NULL),
	FIELD(struct pods_record, "sandboxAttempts", sandbox,    t_u32,        0, NULL),
	FIELD(struct pods_record, "ids",             ids,        t_range,      OMIT_ZERO, NULL),
	FIELD(struct pods_record, "slice",           slice,      t_string,     0, NULL),
	FIELD(struct pods_record, "containers",      containers, t_containers, REQUIRED, NULL),
	FIELD(struct pods_record, "claims",          claims,     t_claims,     0, NULL),
	FIELD(struct pods_record, "ending",          ending,     t_bool,       OMIT_ZERO, NULL),
	FIELD(struct pods_record, "pod",             pod,        t_pod,        REQUIRED, NULL),
	{0}
};
static const struct type t_record = OBJECT("Pod record", struct pods_record, record_fields);
static const struct field lease_fields[] = {
	FIELD(struct pods_lease_record, "version",     version,      t_version,  REQUIRED, NULL),
	FIELD(struct pods_lease_record, "bootID",      boot_id,      t_nonempty, REQUIRED, NULL),
	FIELD(struct pods_lease_record, "boottimeEnd", boottime_end, t_i64,      REQUIRED, NULL),
	FIELD(struct pods_lease_record, "wallEnd",     wall_end,     t_i64,      REQUIRED, NULL),
	{0}
};
static const struct type t_lease = OBJECT("lease record", struct pods_lease_record, lease_fields);
/* clang-format on */

static err *check_containers(const void *document, struct decoder *d)
{
	const struct pods_record *r = document;

	if (r->containers.count != r->pod.spec.containers.count)
		return decoder_fail(d, "containers", "has %zu entries for %zu containers of the Pod",
				    r->containers.count, r->pod.spec.containers.count);
	return NULL;
}

static err *check_slice(const void *document, struct decoder *d)
{
	const struct pods_record *r = document;

	if (r->slice && !slices_is_path(r->slice))
		return decoder_fail(d, "slice", "'%s' is no slice of a Pod", r->slice);
	return NULL;
}

err *pods_record_parse(struct arena *arena, const char *text, size_t len, struct pods_record *ret)
{
	static const struct rule rules[] = { { "containers", check_containers },
					     { "slice", check_slice },
					     { 0 } };
	struct decoder d = { .arena = arena, .name = PODS_RECORD_FILE };

	return decode_text(&d, &t_record, rules, text, len, ret);
}

err *pods_record_read(struct arena *arena, int pod_fd, struct pods_record *ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	TRY(file_read(pod_fd, PODS_RECORD_FILE, &text));
	return pods_record_parse(arena, text.data, text.len, ret);
}

void pods_record_encode(struct str *out, const struct pods_record *r)
{
	encode_text(out, &t_record, r, 0);
	str_add_char(out, '\n');
}

const char *pods_local_name(const char *uid, int index, uint32_t attempt, char out[static 64])
{
	if (index == PODS_SANDBOX)
		snprintf(out, 64, "%.*s-s-%u", PODS_UID_MAX, uid, attempt);
	else
		snprintf(out, 64, "%.*s-%d-%u", PODS_UID_MAX, uid, index, attempt);
	return out;
}

/* ---- the lease ---- */

err *pods_lease_read(int agent_fd, const char *boot_id, int64_t *ret_boottime_end)
{
	auto_arena struct arena *arena = NULL;
	struct pods_lease_record r;

	*ret_boottime_end = 0;
	TRY(arena_new(64 * 1024, &arena));
	struct decoder d = { .arena = arena, .name = LEASE_FILE };
	err *e = decode_file(&d, &t_lease, NULL, agent_fd, LEASE_FILE, &r);
	if (e && e->code == ENOENT) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	/* CLOCK_BOOTTIME begins anew with the machine. An end in the past stays one: never 0 or less. */
	if (str_equal(r.boot_id, boot_id))
		*ret_boottime_end = r.boottime_end;
	else
		*ret_boottime_end = clock_boot() + (r.wall_end - clock_real());
	*ret_boottime_end = MAX(*ret_boottime_end, 1);
	return NULL;
}

err *pods_lease_write(int agent_fd, const char *boot_id, int64_t boottime_end)
{
	auto_str struct str text = STR_INIT(4096);
	const struct pods_lease_record r = {
		.version = LEASE_VERSION, .boot_id = boot_id, .boottime_end = boottime_end,
		.wall_end = clock_real() + (boottime_end - clock_boot()),
	};

	encode_text(&text, &t_lease, &r, 0);
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	/* A crash of the machine may lose the newest: what is left then ends sooner, which is the safe side. */
	return file_replace_volatile(agent_fd, LEASE_FILE, text.data, text.len, 0600);
}
