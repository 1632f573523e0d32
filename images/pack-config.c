/* images/pack-config.c: the image config that pack's options describe. */
#include "images/pack.h"

#include <signal.h>

#include "base/arena.h"
#include "base/clock.h"
#include "oci/image.h"

static size_t count_of(const struct strv *v)
{
	return v ? v->count : 0;
}

static err *take_strings(struct arena *a, const struct strv *v, struct strings *ret)
{
	ret->count = count_of(v);
	TRY_ALLOC(a, ret->items, arena_array(a, ret->count, sizeof *ret->items));
	for (size_t i = 0; i < ret->count; i++)
		ret->items[i] = v->items[i];
	return NULL;
}

/* NAME=value; a later one of the same name replaces an earlier one. */
static err *take_env(struct arena *a, const struct strv *v, struct strings *ret)
{
	TRY_ALLOC(a, ret->items, arena_array(a, count_of(v), sizeof *ret->items));
	for (size_t i = 0; i < count_of(v); i++) {
		const char *equals = strchr(v->items[i], '=');
		size_t k = 0;
		if (!equals || equals == v->items[i])
			return err_new(EINVAL, "environment '%s' is not NAME=value", v->items[i]);
		size_t len = (size_t)(equals - v->items[i]) + 1;
		while (k < ret->count && strncmp(ret->items[k], v->items[i], len) != 0)
			k++;
		ret->items[k] = v->items[i];
		ret->count += k == ret->count;
	}
	return NULL;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct string_pair *)a)->key, ((const struct string_pair *)b)->key);
}

static err *take_labels(struct arena *a, const struct strv *v, struct string_map *ret)
{
	TRY_ALLOC(a, ret->items, arena_array(a, count_of(v), sizeof *ret->items));
	for (size_t i = 0; i < count_of(v); i++) {
		const char *equals = strchr(v->items[i], '=');
		struct string_pair *pair;
		char *key;
		if (!equals || equals == v->items[i])
			return err_new(EINVAL, "label '%s' is not NAME=value", v->items[i]);
		TRY_ALLOC(a, key, arena_strndup(a, v->items[i], (size_t)(equals - v->items[i])));
		for (pair = ret->items; pair < ret->items + ret->count && strcmp(pair->key, key) != 0; pair++)
			;
		ret->count += pair == ret->items + ret->count;
		*pair = (struct string_pair){ key, equals + 1 };
	}
	if (ret->count > 1)
		qsort(ret->items, ret->count, sizeof *ret->items, by_key);
	return NULL;
}

static int by_oci_name(const void *a, const void *b)
{
	return strcmp(((const struct oci_name *)a)->name, ((const struct oci_name *)b)->name);
}

static err *add_name(struct arena *a, struct oci_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (str_equal(names->items[i].name, name))
			return NULL;
	TRY_ALLOC(a, names->items[names->count].name, arena_strdup(a, name));
	names->count++;
	return NULL;
}

/* "8080", "8080/tcp"; a range as in docker's EXPOSE is written out by nobody who reads it, so it is refused. */
static err *take_port(struct arena *a, const char *text, struct oci_names *ret)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	const char *slash = strchr(text, '/');
	const char *protocol = slash ? slash + 1 : "tcp";
	char number[8] = "", name[32];
	uint64_t port = 0;
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		known = known || str_equal(protocol, protocols[i]);
	snprintf(number, sizeof number, "%.*s", slash ? (int)MIN(slash - text, 7) : 7, text);
	if (!known || !str_to_u64(number, &port) || port < 1 || port > 65535)
		return err_new(EINVAL, "port '%s' is not NUMBER, NUMBER/tcp, NUMBER/udp or NUMBER/sctp", text);
	snprintf(name, sizeof name, "%u/%s", (unsigned)port, protocol);
	return add_name(a, ret, name);
}

static err *take_names(struct arena *a, const struct pack_config *c, struct oci_image_defaults *ret)
{
	struct oci_names *ports = &ret->exposed_ports, *volumes = &ret->volumes;

	TRY_ALLOC(a, ports->items, arena_array(a, count_of(c->ports), sizeof *ports->items));
	TRY_ALLOC(a, volumes->items, arena_array(a, count_of(c->volumes), sizeof *volumes->items));
	for (size_t i = 0; i < count_of(c->ports); i++)
		TRY(take_port(a, c->ports->items[i], ports));
	for (size_t i = 0; i < count_of(c->volumes); i++) {
		if (c->volumes->items[i][0] != '/')
			return err_new(EINVAL, "volume '%s' does not begin with a slash", c->volumes->items[i]);
		TRY(add_name(a, volumes, c->volumes->items[i]));
	}
	if (ports->count > 1)
		qsort(ports->items, ports->count, sizeof *ports->items, by_oci_name);
	if (volumes->count > 1)
		qsort(volumes->items, volumes->count, sizeof *volumes->items, by_oci_name);
	return NULL;
}

/* As kill(1) takes them: a number, or a name with or without SIG. */
static err *check_signal(const char *text)
{
	uint64_t number;
	const char *name = text && str_starts_with(text, "SIG") ? text + 3 : text;

	if (!text || (str_to_u64(text, &number) && number >= 1 && number <= 64))
		return NULL;
	if (str_starts_with(name, "RTMIN") || str_starts_with(name, "RTMAX"))
		return NULL;
	for (int i = 1; i < 32; i++)
		if (str_equal(sigabbrev_np(i), name))
			return NULL;
	return err_new(EINVAL, "stop signal '%s' is unknown", text);
}

static err *fill(struct arena *a, const struct pack_config *c, struct oci_image *image)
{
	const struct oci_platform *platform = c->platform ? c->platform : oci_platform_host();

	image->author = c->author;
	image->architecture = platform->architecture;
	image->os = platform->os;
	image->variant = platform->variant;
	image->config.user = c->user && *c->user ? c->user : NULL;
	image->config.working_dir = c->working_dir && *c->working_dir ? c->working_dir : NULL;
	if (image->config.working_dir && c->working_dir[0] != '/')
		return err_new(EINVAL, "working directory '%s' does not begin with a slash", c->working_dir);
	image->config.stop_signal = c->stop_signal;
	TRY(check_signal(c->stop_signal));
	TRY(take_strings(a, c->entrypoint, &image->config.entrypoint));
	TRY(take_strings(a, c->cmd, &image->config.cmd));
	TRY(take_env(a, c->env, &image->config.env));
	TRY(take_labels(a, c->labels, &image->config.labels));
	return take_names(a, c, &image->config);
}

err *pack_config_encode(const struct pack_config *config, int64_t created, const struct digest *diff_id,
			struct str *out)
{
	auto_arena struct arena *arena = NULL;
	char text[CLOCK_TEXT_MAX];
	struct digest layer = *diff_id;
	struct oci_history step = { .created_by = "stube image pack" };
	struct oci_image image = { .rootfs.type = "layers" };

	TRY(arena_new(8u << 20, &arena));
	image.created = step.created = clock_text(created * (int64_t)NSEC_PER_SEC, false, text);
	image.rootfs.diff_ids.items = &layer;
	image.rootfs.diff_ids.count = 1;
	image.history.items = &step;
	image.history.count = 1;
	TRY(fill(arena, config, &image));
	oci_image_encode(out, &image);
	return str_check(out);
}
