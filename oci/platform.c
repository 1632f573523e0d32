/* oci/platform.c: platforms, and which manifest of an index fits one. */
#include "oci/image.h"

#include <pthread.h>
#include <strings.h>
#include <sys/utsname.h>

/* Other words for an architecture: those of uname(2), of Debian, and old ones of Docker. */
static const struct {
	const char *word, *architecture, *variant;
} synonyms[] = {
	{ "x86_64", "amd64", NULL },
	{ "x86-64", "amd64", NULL },
	{ "aarch64", "arm64", NULL },
	{ "i386", "386", NULL },
	{ "i486", "386", NULL },
	{ "i586", "386", NULL },
	{ "i686", "386", NULL },
	{ "armhf", "arm", "v7" },
	{ "armel", "arm", "v6" },
	{ "armv7l", "arm", "v7" },
	{ "armv8l", "arm", "v7" },
	{ "armv6l", "arm", "v6" },
	{ "armv5tel", "arm", "v5" },
	{ "ppc64el", "ppc64le", NULL },
	{ "powerpc64le", "ppc64le", NULL },
	{ "loongarch64", "loong64", NULL },
	{ "mips64el", "mips64le", NULL },
};

/* What an architecture without a variant is. */
static const struct {
	const char *architecture, *variant;
} baseline[] = { { "amd64", "v1" }, { "arm", "v7" }, { "arm64", "v8" } };

static void normalise(struct oci_platform *p)
{
	for (size_t i = 0; i < ARRAY_LEN(synonyms); i++) {
		if (strcasecmp(synonyms[i].word, p->architecture) != 0)
			continue;
		p->architecture = synonyms[i].architecture;
		if (!p->variant || !*p->variant)
			p->variant = synonyms[i].variant;
	}
	for (size_t i = 0; i < ARRAY_LEN(baseline); i++)
		if (strcasecmp(baseline[i].architecture, p->architecture) == 0 &&
		    (!p->variant || !*p->variant))
			p->variant = baseline[i].variant;
	if (p->variant && !*p->variant)
		p->variant = NULL;
}

static struct oci_platform host;

static void find_host(void)
{
	static struct utsname name;

	uname(&name);
	host.architecture = name.machine;
	normalise(&host);
	/* A baseline is what every machine has; it is left unsaid, as images leave it. */
	if (strcmp(host.architecture, "arm") != 0)
		host.variant = NULL;
	host.os = "linux";
}

/* Several threads resolve images. */
const struct oci_platform *oci_platform_host(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_host);
	return &host;
}

static bool is_word(const char *text)
{
	static const char word[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";

	return *text && !text[strspn(text, word)];
}

err *oci_platform_parse(struct arena *arena, const char *text, struct oci_platform *ret)
{
	struct oci_platform p = { .os = "linux" };
	char *parts[4] = { NULL }, *rest;
	size_t count = 0;

	TRY_ALLOC(arena, rest, arena_strdup(arena, text));
	while (count < ARRAY_LEN(parts) && (parts[count] = strsep(&rest, "/")))
		if (!is_word(parts[count++]))
			return err_new(EINVAL, "platform '%s': expected OS/ARCH[/VARIANT]", text);
	if (count > 3)
		return err_new(EINVAL, "platform '%s': expected OS/ARCH[/VARIANT]", text);
	if (count > 1)
		p.os = parts[0];
	p.architecture = parts[count > 1];
	p.variant = parts[2];
	struct oci_platform known = p;
	normalise(&known);
	p.architecture = known.architecture;
	/* Only what the user's word implied ("armhf"), not a baseline that was left unsaid. */
	if (strcmp(p.architecture, "arm") == 0)
		p.variant = known.variant;
	*ret = p;
	return NULL;
}

void oci_platform_format(const struct oci_platform *p, struct str *out)
{
	str_addf(out, "%s/%s", p->os, p->architecture);
	if (p->variant && *p->variant)
		str_addf(out, "/%s", p->variant);
}

/* "v7" is 7; 0 where there is no number. */
static unsigned long variant_number(const char *variant)
{
	return variant && (*variant == 'v' || *variant == 'V') ? strtoul(variant + 1, NULL, 10) : 0;
}

static bool same_word(const char *a, const char *b)
{
	return strcasecmp(a ? a : "", b ? b : "") == 0;
}

unsigned oci_platform_match(const struct oci_platform *want, const struct oci_platform *offer)
{
	struct oci_platform w = *want, o = *offer;

	normalise(&w);
	normalise(&o);
	if (!same_word(w.os, o.os) || !same_word(w.architecture, o.architecture))
		return 0;
	if (same_word(w.variant, o.variant))
		return 1000;
	unsigned long want_number = variant_number(w.variant), number = variant_number(o.variant);
	if (want_number == 0 || number == 0 || number > want_number || number >= 1000)
		return 0;
	return (unsigned)number;
}

static err *nothing_fits(const struct oci_index *index, const struct oci_platform *want)
{
	auto_str struct str text = STR_INIT(4096), offers = STR_INIT(2048);

	oci_platform_format(want, &text);
	for (size_t i = 0; i < index->manifests.count; i++) {
		const struct oci_platform *p = index->manifests.items[i].platform;

		if (!p || same_word(p->os, "unknown"))
			continue;
		str_add(&offers, offers.len ? ", " : "");
		oci_platform_format(p, &offers);
	}
	return err_new(ENOENT, "nothing for %s; the index offers %s", text.data,
		       offers.len ? offers.data : "no platform");
}

err *oci_index_choose(const struct oci_index *index, const struct oci_platform *want,
		      const struct oci_descriptor **ret)
{
	const struct oci_descriptor *best = NULL, *nameless = NULL;
	unsigned best_match = 0;
	size_t nameless_count = 0;

	for (size_t i = 0; i < index->manifests.count; i++) {
		const struct oci_descriptor *d = &index->manifests.items[i];
		enum oci_media_kind kind = oci_media(d->media_type)->kind;

		if (kind != OCI_KIND_MANIFEST && kind != OCI_KIND_INDEX)
			continue;
		if (!d->platform) {
			nameless = d;
			nameless_count++;
			continue;
		}
		unsigned match = oci_platform_match(want, d->platform);
		if (match > best_match) {
			best = d;
			best_match = match;
		}
	}
	if (!best && nameless_count == 1)
		best = nameless;
	if (!best)
		return nothing_fits(index, want);
	*ret = best;
	return NULL;
}
