/* api/meta.c: names, times and the metadata of objects. Ref: Kubernetes meta/v1 ObjectMeta, 1.33. */
#include "api/meta.h"

#include <ctype.h>

#include "api/kinds-internal.h"
#include "base/clock.h"

#define LABEL_MAX       63
#define SUBDOMAIN_MAX   253
#define ANNOTATIONS_MAX (256u << 10) /* bytes of all keys and values, as Kubernetes limits them */

static bool is_lower_alnum(char c)
{
	return islower((unsigned char)c) || isdigit((unsigned char)c);
}

/* Labels of RFC 1123, joined by dots; Kubernetes limits only the whole. */
static bool is_subdomain(const char *text, size_t len)
{
	if (len == 0 || len > SUBDOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool edge = i == 0 || i == len - 1 || text[i - 1] == '.' || text[i + 1] == '.';
		if (!is_lower_alnum(text[i]) && (edge || (text[i] != '-' && text[i] != '.')))
			return false;
	}
	return true;
}

bool meta_is_label(const char *text)
{
	return strlen(text) <= LABEL_MAX && !strchr(text, '.') && meta_is_subdomain(text);
}

bool meta_is_subdomain(const char *text)
{
	return is_subdomain(text, strlen(text));
}

/* What stands behind the slash of a key, and a value that is not empty. */
static bool is_word(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > LABEL_MAX || !isalnum((unsigned char)text[0]) || !isalnum((unsigned char)text[len - 1]))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("-_.", *text))
			return false;
	return true;
}

bool meta_is_label_key(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash ? is_subdomain(text, (size_t)(slash - text)) && is_word(slash + 1) : is_word(text);
}

bool meta_is_label_value(const char *text)
{
	return !*text || is_word(text);
}

const struct owner_reference *meta_controller(const struct meta *meta)
{
	for (size_t i = 0; i < meta->owners.count; i++)
		if (meta->owners.items[i].controller)
			return &meta->owners.items[i];
	return NULL;
}

/* ---- times ---- */

/* Go's zero time, which some encoders write for "none". */
#define GO_ZERO_TIME "0001-01-01T00:00:00Z"

static const char *parse_time(const char *text, int64_t unit, int64_t *ret)
{
	int64_t nsec;

	if (str_equal(text, GO_ZERO_TIME))
		return NULL;
	if (!clock_parse(text, &nsec) || nsec < 0)
		return "is not a time such as 2026-11-23T20:15:04Z";
	*ret = nsec - nsec % unit;
	return NULL;
}

static const char *parse_seconds(const char *text, void *value)
{
	return parse_time(text, (int64_t)NSEC_PER_SEC, &((struct api_time *)value)->nsec);
}

static void format_seconds(const void *value, struct str *out)
{
	char buf[CLOCK_TEXT_MAX];

	str_add(out, clock_text(((const struct api_time *)value)->nsec, false, buf));
}

static const char *parse_micro(const char *text, void *value)
{
	return parse_time(text, 1000, &((struct api_micro_time *)value)->nsec);
}

static void format_micro(const void *value, struct str *out)
{
	char buf[CLOCK_TEXT_MAX];

	clock_text(((const struct api_micro_time *)value)->nsec, true, buf);
	str_add_bytes(out, buf, strlen(buf) - 4); /* without "000Z" */
	str_add_char(out, 'Z');
}

/* ---- texts that several kinds hold ---- */

static const char *check_label(const void *value)
{
	return meta_is_label(*(const char *const *)value) ? NULL : META_LABEL_REASON;
}

static const char *check_subdomain(const void *value)
{
	return meta_is_subdomain(*(const char *const *)value) ? NULL : META_SUBDOMAIN_REASON;
}

static const char *check_label_key(const void *value)
{
	return meta_is_label_key(*(const char *const *)value) ? NULL : META_KEY_REASON;
}

static const char *check_label_value(const void *value)
{
	return meta_is_label_value(*(const char *const *)value) ? NULL : META_VALUE_REASON;
}

/* clang-format off */
const struct type t_api_time = TEXT("time", struct api_time, parse_seconds, format_seconds);
const struct type t_api_micro_time = TEXT("time", struct api_micro_time, parse_micro, format_micro);
const struct type t_label = STRING_CHECKED("name", check_label);
const struct type t_subdomain = STRING_CHECKED("name", check_subdomain);
const struct type t_label_key = STRING_CHECKED("label key", check_label_key);
const struct type t_label_value = STRING_CHECKED("label value", check_label_value);
const struct type t_label_values = ARRAY_OF_MAX(t_label_value, 1024);

static const struct field owner_fields[] = {
	FIELD(struct owner_reference, "apiVersion", api_version, t_nonempty, REQUIRED, NULL),
	FIELD(struct owner_reference, "kind",       kind,        t_nonempty, REQUIRED, NULL),
	FIELD(struct owner_reference, "name",       name,        t_nonempty, REQUIRED, NULL),
	FIELD(struct owner_reference, "uid",        uid,         t_nonempty, REQUIRED, NULL),
	FIELD(struct owner_reference, "controller", controller,  t_bool,     OMIT_ZERO, NULL),
	FIELD(struct owner_reference, "blockOwnerDeletion", block_owner_deletion, t_bool, OMIT_ZERO, NULL),
	{0}
};
static const struct type t_owner = OBJECT_STRICT("owner", struct owner_reference, owner_fields);
static const struct type t_owners = ARRAY_OF_MAX(t_owner, 64);

static const struct field meta_fields[] = {
	FIELD(struct meta, "name",              name,             t_string,     EMPTY_ABSENT, NULL),
	FIELD(struct meta, "generateName",      generate_name,    t_string,     EMPTY_ABSENT, NULL),
	FIELD(struct meta, "namespace",         namespace,        t_string,     EMPTY_ABSENT, NULL),
	FIELD(struct meta, "uid",               uid,              t_string,     EMPTY_ABSENT, NULL),
	FIELD(struct meta, "resourceVersion",   resource_version, t_string,     EMPTY_ABSENT, NULL),
	FIELD(struct meta, "generation",        generation,       t_i64,        OMIT_ZERO, NULL),
	FIELD(struct meta, "creationTimestamp", creation,         t_api_time,   0, NULL),
	FIELD(struct meta, "deletionTimestamp", deletion,         t_api_time,   0, NULL),
	FIELD(struct meta, "deletionGracePeriodSeconds", deletion_grace, opt_i64, 0, NULL),
	FIELD(struct meta, "labels",            labels,           t_string_map, 0, NULL),
	FIELD(struct meta, "annotations",       annotations,      t_string_map, 0, NULL),
	FIELD(struct meta, "ownerReferences",   owners,           t_owners,     0, NULL),
	NOT_YET("finalizers", "[]"),
	KNOWN("managedFields", IGNORED),
	KNOWN("selfLink", IGNORED),
	{0}
};
const struct type t_meta = OBJECT_STRICT("metadata", struct meta, meta_fields);

/* Of a template: what becomes of its Pods is theirs, the rest says nothing. */
static const struct field template_meta_fields[] = {
	FIELD(struct meta, "labels",      labels,      t_string_map, 0, NULL),
	FIELD(struct meta, "annotations", annotations, t_string_map, 0, NULL),
	NOT_YET("finalizers", "[]"),
	NOT_YET("ownerReferences", "[]"),
	KNOWN("name", IGNORED), KNOWN("generateName", IGNORED), KNOWN("namespace", IGNORED), KNOWN("uid", IGNORED),
	KNOWN("resourceVersion", IGNORED), KNOWN("generation", IGNORED), KNOWN("creationTimestamp", IGNORED),
	KNOWN("deletionTimestamp", IGNORED), KNOWN("deletionGracePeriodSeconds", IGNORED),
	KNOWN("managedFields", IGNORED), KNOWN("selfLink", IGNORED),
	{0}
};
const struct type t_template_meta = OBJECT_STRICT("metadata", struct meta, template_meta_fields);
/* clang-format on */

/* ---- rules ---- */

err *rule_fail(struct decoder *d, const char *path, const char *member, const char *value, const char *reason)
{
	char place[1024];

	snprintf(place, sizeof(place), "%s%s%s", path, *path && *member ? "." : "", member);
	return value ? decoder_fail(d, place, "'%.200s' %s", value, reason) : decoder_fail(d, place, "%s", reason);
}

err *meta_check_labels(struct decoder *d, const char *path, const struct string_map *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		const struct string_pair *p = &labels->items[i];
		if (!meta_is_label_key(p->key))
			return rule_fail(d, path, p->key, p->key, META_KEY_REASON);
		if (!meta_is_label_value(p->value))
			return rule_fail(d, path, p->key, p->value, META_VALUE_REASON);
	}
	return NULL;
}

err *meta_check_annotations(struct decoder *d, const char *path, const struct string_map *annotations)
{
	size_t size = 0;

	for (size_t i = 0; i < annotations->count; i++) {
		const struct string_pair *p = &annotations->items[i];
		if (!meta_is_label_key(p->key))
			return rule_fail(d, path, p->key, p->key, META_KEY_REASON);
		size += strlen(p->key) + strlen(p->value);
	}
	if (size > ANNOTATIONS_MAX)
		return decoder_fail(d, path, "more than %u bytes of annotations", ANNOTATIONS_MAX);
	return NULL;
}

static const char *name_reason(const struct kind *kind, const char *name)
{
	if (kind->label_name)
		return meta_is_label(name) ? NULL : META_LABEL_REASON;
	return meta_is_subdomain(name) ? NULL : META_SUBDOMAIN_REASON;
}

static err *check_name(const struct meta *m, const struct kind *kind, struct decoder *d)
{
	auto_str struct str generated = STR_INIT(4096);
	const char *reason;

	if (m->name) {
		reason = name_reason(kind, m->name);
		return reason ? rule_fail(d, "metadata", "name", m->name, reason) : NULL;
	}
	if (!m->generate_name)
		return rule_fail(d, "metadata", "name", NULL, "required but missing");
	str_addf(&generated, "%s00000", m->generate_name);
	reason = generated.failed ? META_SUBDOMAIN_REASON : name_reason(kind, generated.data);
	return reason ? rule_fail(d, "metadata", "generateName", m->generate_name, reason) : NULL;
}

err *object_check_metadata(const void *document, struct decoder *d)
{
	const struct object *o = document;
	const struct meta *m = &o->metadata;
	const struct kind *kind = kind_of(o);

	if (!kind)
		return decoder_fail(d, "kind", "is not one that Stube has");
	TRY(check_name(m, kind, d));
	if (m->namespace && !kind->namespaced)
		return decoder_fail(d, "metadata.namespace", "a %s is in no namespace", kind->name);
	if (m->namespace && !meta_is_label(m->namespace))
		return rule_fail(d, "metadata", "namespace", m->namespace, META_LABEL_REASON);
	TRY(meta_check_labels(d, "metadata.labels", &m->labels));
	return meta_check_annotations(d, "metadata.annotations", &m->annotations);
}

/* ---- our own labels and annotations ---- */

static const struct own_word {
	bool label;
	const char *key;
	const char *words; /* between bars */
	const char *reason;
} own_words[] = {
	{ true, STUBE_PROTECTION_NEED, "|normal|high|very-high|", "is not one of normal|high|very-high" },
	{ true, STUBE_PROTECTION_CLASS, "|normal|high|very-high|", "is not one of normal|high|very-high" },
	{ false, STUBE_ON_NODE_LOSS, "|replace|keep|stop|", "is not one of replace|keep|stop" },
};

static bool is_word_of(const char *words, const char *word)
{
	size_t len = strlen(word);
	const char *at = strstr(words, word);

	return len > 0 && !strchr(word, '|') && at && at[-1] == '|' && at[len] == '|';
}

err *meta_check_own(struct decoder *d, const char *path, const struct meta *m)
{
	for (size_t i = 0; i < ARRAY_LEN(own_words); i++) {
		const struct own_word *w = &own_words[i];
		const char *value = string_map_get(w->label ? &m->labels : &m->annotations, w->key);
		char place[256];

		if (!value || is_word_of(w->words, value))
			continue;
		snprintf(place, sizeof(place), "%s.%s", path, w->label ? "labels" : "annotations");
		return rule_fail(d, place, w->key, value, w->reason);
	}
	return NULL;
}

err *meta_check_template(struct decoder *d, const struct meta *outer, const struct meta *template)
{
	for (size_t i = 0; i < ARRAY_LEN(own_words); i++) {
		const struct own_word *w = &own_words[i];
		const char *value = string_map_get(w->label ? &outer->labels : &outer->annotations, w->key);
		const char *used = string_map_get(w->label ? &template->labels : &template->annotations, w->key);

		if (value && !str_equal(value, used))
			return rule_fail(d, w->label ? "metadata.labels" : "metadata.annotations", w->key, NULL,
					 "takes effect only in spec.template.metadata, which says otherwise");
	}
	return NULL;
}
