/* api/pod-admit.c: what no node could ever run, refused when it is asked for: rules for what is new. What is
 * stored already stays readable, whatever was admitted when it came. */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "api/deployment.h"
#include "api/kinds-internal.h"
#include "api/pod-internal.h"
#include "oci/config.h"

enum { PATH_TEXT = 256, HOST_MAX = 255, REPOSITORY_MAX = 255, TAG_MAX = 128, CAPABILITY_MAX = 64 };

/* ---- names of images: [HOST[:PORT]/]PATH[:TAG][@DIGEST], as registry/reference.h has them ---- */

static bool is_lower(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Between letters and digits of a path: ".", "_", "__", any number of "-". */
static size_t separator(const char *p, const char *end)
{
	size_t len = 0;

	if (*p == '.')
		return 1;
	if (*p == '_')
		return p + 1 < end && p[1] == '_' ? 2 : 1;
	while (p + len < end && p[len] == '-')
		len++;
	return len;
}

static bool is_path(const char *p, const char *end)
{
	if (p == end || end - p > REPOSITORY_MAX)
		return false;
	while (p < end) {
		if (!is_lower(*p))
			return false;
		while (p < end && is_lower(*p))
			p++;
		if (p == end)
			return true;
		size_t len = *p == '/' ? 1 : separator(p, end);
		if (len == 0)
			return false;
		p += len;
	}
	return false; /* it ended with a separator */
}

static bool all_of(const char *p, const char *end, const char *others)
{
	for (; p < end; p++)
		if (!isascii((unsigned char)*p) || (!isalnum((unsigned char)*p) && !strchr(others, *p)))
			return false;
	return true;
}

static bool is_tag(const char *p, const char *end)
{
	return p < end && end - p <= TAG_MAX && *p != '.' && *p != '-' && all_of(p, end, "_.-");
}

/* "sha256:..." */
static bool is_digest(const char *p, const char *end)
{
	const char *colon = memchr(p, ':', (size_t)(end - p));

	if (!colon || colon == p || end - colon <= 32)
		return false;
	for (const char *hex = colon + 1; hex < end; hex++)
		if (!isxdigit((unsigned char)*hex))
			return false;
	return all_of(p, colon, "+._-");
}

static bool names_host(const char *p, const char *slash)
{
	size_t len = (size_t)(slash - p);

	return *p == '[' || memchr(p, '.', len) || memchr(p, ':', len) ||
	       (len == 9 && strncasecmp(p, "localhost", 9) == 0);
}

static const char *image_fault(const char *text)
{
	const char *end = text + strlen(text), *at = strchr(text, '@'), *slash = strchr(text, '/'), *colon;

	if (at && !is_digest(at + 1, end))
		return "behind '@' stands no digest";
	if (at)
		end = at;
	if (slash && slash < end && names_host(text, slash)) {
		if (slash == text || slash - text > HOST_MAX || !all_of(text, slash, ".:-[]"))
			return "it begins with no HOST or HOST:PORT";
		text = slash + 1;
	}
	colon = memchr(text, ':', (size_t)(end - text));
	if (colon && !is_tag(colon + 1, end))
		return "behind ':' stands no tag";
	return is_path(text, colon ? colon : end) ? NULL
						  : "a path is of lower-case letters and digits with single "
						    "'.', '_', '__' or '-' between them";
}

/* ---- capabilities ---- */

static bool is_capability(const char *name)
{
	char full[CAPABILITY_MAX];

	snprintf(full, sizeof(full), "%s%s", strncasecmp(name, "CAP_", 4) == 0 ? "" : "CAP_", name);
	for (char *p = full; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return enum_value(oci_capability_names, full) >= 0;
}

static err *check_capabilities(struct decoder *d, const char *path, const struct strings *names,
			       const char *member)
{
	char at[PATH_TEXT + 96];

	for (size_t i = 0; i < names->count; i++) {
		bool all = strcasecmp(names->items[i], "ALL") == 0;
		snprintf(at, sizeof(at), "%s.securityContext.capabilities.%s[%zu]", path, member, i);
		if (all && str_equal(member, "add"))
			return decoder_fail(d, at, "'%s' is not supported: list what is needed",
					    names->items[i]);
		if (!all && !is_capability(names->items[i]))
			return decoder_fail(d, at, "unknown capability '%s'", names->items[i]);
	}
	return NULL;
}

/* ---- the spec ---- */

static err *admit_spec(struct decoder *d, const char *path, const struct pod_spec *spec)
{
	char at[PATH_TEXT], below[PATH_TEXT + 32];

	for (size_t i = 0; i < spec->volumes.count; i++) {
		const struct pod_empty_dir *e = spec->volumes.items[i].empty_dir;
		snprintf(at, sizeof(at), "%s.volumes[%zu].emptyDir.sizeLimit", path, i);
		if (e && e->size_limit.given && e->medium != POD_MEDIUM_MEMORY)
			return decoder_fail(d, at, "is only supported with medium: Memory");
	}
	for (size_t i = 0; i < spec->containers.count; i++) {
		const struct pod_container *c = &spec->containers.items[i];
		const char *fault = c->image ? image_fault(c->image) : NULL;
		snprintf(at, sizeof(at), "%s.containers[%zu]", path, i);
		snprintf(below, sizeof(below), "%s.image", at);
		if (fault)
			return decoder_fail(d, below, "'%s' is no name of an image: %s", c->image, fault);
		TRY(check_capabilities(d, at, &c->security.capabilities.add, "add"));
		TRY(check_capabilities(d, at, &c->security.capabilities.drop, "drop"));
	}
	return NULL;
}

err *kind_admit(struct decoder *d, const struct kind *kind, const struct object *object)
{
	const void *document = object;

	switch (kind->id) {
	case KIND_POD:
		return admit_spec(d, "spec", &((const struct pod *)document)->spec);
	case KIND_DEPLOYMENT:
		return admit_spec(d, "spec.template.spec",
				  &((const struct deployment *)document)->spec.template.spec);
	case KIND_REPLICASET:
		return admit_spec(d, "spec.template.spec",
				  &((const struct replicaset *)document)->spec.template.spec);
	default:
		return NULL;
	}
}
