/* api/pod.c: a Pod as a whole: its table, decoding, checking. Ref: Kubernetes core/v1 Pod, 1.33. */
#include "api/pod.h"

#include "api/kinds-internal.h"
#include "api/pod-internal.h"

/* clang-format off */
static const struct field pod_fields[] = {
	OBJECT_FIELDS(struct pod),
	FIELD(struct pod, "spec",   spec,   t_pod_spec,   REQUIRED, NULL),
	FIELD(struct pod, "status", status, t_pod_status, OMIT_ZERO, NULL),
	{0}
};
const struct type t_pod = OBJECT_STRICT("Pod", struct pod, pod_fields);
/* clang-format on */

bool pod_is_label(const char *text)
{
	return meta_is_label(text);
}

static err *check_metadata(const void *document, struct decoder *d)
{
	return pod_meta_check(d, "metadata", &((const struct pod *)document)->metadata);
}

static err *check_spec(const void *document, struct decoder *d)
{
	return pod_spec_check(d, "spec", &((const struct pod *)document)->spec);
}

const struct rule pod_rules[] = {
	{ "metadata is well-formed", object_check_metadata },
	{ "labels and annotations of Stube are well-formed", check_metadata },
	{ "the spec agrees with itself", check_spec },
	{ 0 },
};
/* A Pod of this machine only has labels as container engines know them: any text. */
static const struct rule *const local_rules = &pod_rules[1];

err *pod_decode(struct arena *arena, const char *name, const char *text, size_t len, const struct pod **ret)
{
	struct object *object = NULL;

	TRY(object_decode(arena, name, text, len, &kinds[KIND_POD], 0, &object));
	*ret = (const struct pod *)object;
	return NULL;
}

err *pod_check(const struct pod *pod)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	struct decoder d = { .name = "Pod" };
	struct pod copy;

	if (!pod->metadata.name)
		return err_new(EINVAL, "Pod: metadata.name: required but missing");
	/* The same tables and rules that a file meets, so that nothing passes here only. */
	TRY(arena_new(16 << 20, &arena));
	d.arena = arena;
	pod_encode(&text, pod, 0);
	TRY(str_check(&text));
	return decode_text(&d, &t_pod, local_rules, text.data, text.len, &copy);
}

void pod_encode(struct str *out, const struct pod *pod, unsigned indent)
{
	encode_text(out, &t_pod, pod, indent);
	if (indent)
		str_add_char(out, '\n');
}

err *pod_defaults(struct arena *arena, struct pod *pod)
{
	TRY(decode_defaults(arena, &t_pod, pod));
	pod->api_version = "v1";
	pod->kind = "Pod";
	return NULL;
}

err *pod_container_defaults(struct arena *arena, struct pod_container *container)
{
	return decode_defaults(arena, &t_pod_container, container);
}
