/* runtime/mount-options.c: the option words of mounts as one table. */
#include "runtime/mount-options.h"

#include <linux/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

#define ATTR(name, set, clear)  { name, MOUNT_OPT_ATTR, set, clear, NULL }
#define ALL(name, set, clear)   { name, MOUNT_OPT_ATTR_ALL, set, clear, NULL }
#define SUPER(name, flag)       { name, MOUNT_OPT_SUPER, 0, 0, flag }
#define PROP(name, flags)       { name, MOUNT_OPT_PROPAGATION, flags, 0, NULL }
#define WORD(name, kind)        { name, kind, 0, 0, NULL }
/* Times are one field of several bits: the whole field is cleared before. */
#define ATIME_AS(name, how)     { name, MOUNT_OPT_ATTR, MOUNT_ATTR_##how, MOUNT_ATTR__ATIME, NULL }
#define ATIME_ALL(name, how)    { name, MOUNT_OPT_ATTR_ALL, MOUNT_ATTR_##how, MOUNT_ATTR__ATIME, NULL }

/* clang-format off */
const struct mount_option mount_options[] = {
	SUPER("acl",           "acl"),
	SUPER("async",         "async"),
	ATIME_AS("atime",      RELATIME),
	WORD("bind",           MOUNT_OPT_BIND),
	WORD("copy-symlink",   MOUNT_OPT_COPY_LINK),
	WORD("copyup",         MOUNT_OPT_COPY_UP),
	WORD("defaults",       MOUNT_OPT_NOTHING),
	WORD("dest-nofollow",  MOUNT_OPT_PLACE_LINK),
	ATTR("dev",            0, MOUNT_ATTR_NODEV),
	ATTR("diratime",       0, MOUNT_ATTR_NODIRATIME),
	SUPER("dirsync",       "dirsync"),
	ATTR("exec",           0, MOUNT_ATTR_NOEXEC),
	WORD("idmap",          MOUNT_OPT_IDMAP),
	SUPER("iversion",      "iversion"),
	SUPER("lazytime",      "lazytime"),
	WORD("loud",           MOUNT_OPT_NOTHING),
	SUPER("mand",          "mand"),
	SUPER("noacl",         "noacl"),
	ATIME_AS("noatime",    NOATIME),
	ATTR("nodev",          MOUNT_ATTR_NODEV, 0),
	ATTR("nodiratime",     MOUNT_ATTR_NODIRATIME, 0),
	ATTR("noexec",         MOUNT_ATTR_NOEXEC, 0),
	WORD("noiversion",     MOUNT_OPT_NOTHING),
	SUPER("nolazytime",    "nolazytime"),
	SUPER("nomand",        "nomand"),
	ATIME_AS("norelatime", STRICTATIME),
	ATIME_AS("nostrictatime",RELATIME),
	ATTR("nosuid",         MOUNT_ATTR_NOSUID, 0),
	ATTR("nosymfollow",    MOUNT_ATTR_NOSYMFOLLOW, 0),
	PROP("private",        MS_PRIVATE),
	ATIME_ALL("ratime",         RELATIME),
	WORD("rbind",          MOUNT_OPT_RBIND),
	ALL("rdev",            0, MOUNT_ATTR_NODEV),
	ALL("rdiratime",       0, MOUNT_ATTR_NODIRATIME),
	ATIME_AS("relatime",   RELATIME),
	WORD("remount",        MOUNT_OPT_REMOUNT),
	ALL("rexec",           0, MOUNT_ATTR_NOEXEC),
	WORD("ridmap",         MOUNT_OPT_RIDMAP),
	ATIME_ALL("rnoatime",       NOATIME),
	ALL("rnodev",          MOUNT_ATTR_NODEV, 0),
	ALL("rnodiratime",     MOUNT_ATTR_NODIRATIME, 0),
	ALL("rnoexec",         MOUNT_ATTR_NOEXEC, 0),
	ATIME_ALL("rnorelatime",    STRICTATIME),
	ATIME_ALL("rnostrictatime", RELATIME),
	ALL("rnosuid",         MOUNT_ATTR_NOSUID, 0),
	ALL("rnosymfollow",    MOUNT_ATTR_NOSYMFOLLOW, 0),
	ATTR("ro",             MOUNT_ATTR_RDONLY, 0),
	PROP("rprivate",       MS_PRIVATE | MS_REC),
	ATIME_ALL("rrelatime",      RELATIME),
	ALL("rro",             MOUNT_ATTR_RDONLY, 0),
	ALL("rrw",             0, MOUNT_ATTR_RDONLY),
	PROP("rshared",        MS_SHARED | MS_REC),
	PROP("rslave",         MS_SLAVE | MS_REC),
	ATIME_ALL("rstrictatime",   STRICTATIME),
	ALL("rsuid",           0, MOUNT_ATTR_NOSUID),
	ALL("rsymfollow",      0, MOUNT_ATTR_NOSYMFOLLOW),
	PROP("runbindable",    MS_UNBINDABLE | MS_REC),
	ATTR("rw",             0, MOUNT_ATTR_RDONLY),
	PROP("shared",         MS_SHARED),
	WORD("silent",         MOUNT_OPT_NOTHING),
	PROP("slave",          MS_SLAVE),
	WORD("src-nofollow",   MOUNT_OPT_SOURCE_LINK),
	ATIME_AS("strictatime",STRICTATIME),
	ATTR("suid",           0, MOUNT_ATTR_NOSUID),
	ATTR("symfollow",      0, MOUNT_ATTR_NOSYMFOLLOW),
	SUPER("sync",          "sync"),
	WORD("tmpcopyup",      MOUNT_OPT_COPY_UP),
	PROP("unbindable",     MS_UNBINDABLE),
	{0}
};
/* clang-format on */

static const struct mount_option *find(const char *word)
{
	size_t low = 0, high = ARRAY_LEN(mount_options) - 1;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(word, mount_options[mid].name);

		if (order == 0)
			return &mount_options[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* A later word takes back what an earlier one said about the same bits. */
static void apply(uint64_t *set, uint64_t *clear, const struct mount_option *o)
{
	*set &= ~o->clear;
	*clear &= ~o->set;
	*set |= o->set;
	*clear |= o->clear;
}

void mount_spec_add(struct mount_spec *spec, const char *word)
{
	struct mount_data *d = &spec->data;

	d->full = d->count == MOUNT_DATA_MAX;
	if (!d->full)
		d->items[d->count++] = word;
}

err *mount_spec_check(const struct mount_spec *spec)
{
	return spec->data.full ? err_new(EFBIG, "options: more than %d for the file system", MOUNT_DATA_MAX)
			       : NULL;
}

static void take(struct mount_spec *spec, const struct mount_option *o)
{
	switch (o->kind) {
	case MOUNT_OPT_ATTR:
		apply(&spec->set, &spec->clear, o);
		break;
	case MOUNT_OPT_ATTR_ALL:
		apply(&spec->set_all, &spec->clear_all, o);
		break;
	case MOUNT_OPT_SUPER:
		mount_spec_add(spec, o->super);
		break;
	case MOUNT_OPT_PROPAGATION:
		spec->propagation = (uint32_t)o->set;
		break;
	case MOUNT_OPT_RBIND:
		spec->recursive = true;
		/* fall through */
	case MOUNT_OPT_BIND:
		spec->bind = true;
		break;
	case MOUNT_OPT_REMOUNT:
		spec->remount = true;
		break;
	case MOUNT_OPT_COPY_UP:
		spec->copy_up = true;
		break;
	case MOUNT_OPT_RIDMAP:
		spec->ridmap = true;
		/* fall through */
	case MOUNT_OPT_IDMAP:
		spec->idmap = true;
		break;
	case MOUNT_OPT_COPY_LINK:
		spec->copy_link = true;
		break;
	case MOUNT_OPT_SOURCE_LINK:
		spec->source_link = true;
		break;
	case MOUNT_OPT_PLACE_LINK:
		spec->place_link = true;
		break;
	case MOUNT_OPT_NOTHING:
		break;
	}
}

/* crun's form with maps of its own. */
static bool take_maps(struct mount_spec *spec, const char *word)
{
	bool all = str_starts_with(word, "ridmap=");

	if (!all && !str_starts_with(word, "idmap="))
		return false;
	spec->idmap = true;
	spec->ridmap = spec->ridmap || all;
	spec->maps = strchr(word, '=') + 1;
	return true;
}

err *mount_spec_parse(const char *const *words, size_t count, struct mount_spec *ret)
{
	for (size_t i = 0; i < count; i++) {
		const struct mount_option *o = find(words[i]);

		if (o)
			take(ret, o);
		else if (*words[i] && !take_maps(ret, words[i]))
			mount_spec_add(ret, words[i]);
	}
	if (ret->copy_link && (ret->source_link || ret->place_link))
		return err_new(EINVAL,
			       "options: 'copy-symlink' contradicts 'src-nofollow' and 'dest-nofollow'");
	return mount_spec_check(ret);
}

/* Where the word that begins here ends: at a comma outside of double quotes that no backslash precedes, as
 * overlay and the options of security labels are written. */
static size_t word_length(const char *text)
{
	bool quoted = false;
	size_t i = 0;

	for (; text[i] && (quoted || text[i] != ','); i++) {
		if (text[i] == '"')
			quoted = !quoted;
		if (text[i] == '\\' && text[i + 1])
			i++;
	}
	return i;
}

static bool is_one_word(const char *text)
{
	return !text[word_length(text)] || str_starts_with(text, "idmap=") ||
	       str_starts_with(text, "ridmap=");
}

err *mount_words(struct arena *arena, const struct strings *options, struct strings *ret)
{
	size_t count = 0;

	*ret = *options;
	for (size_t i = 0; i < options->count; i++)
		for (const char *p = options->items[i]; *p; p++)
			count += *p == ',';
	if (count == 0)
		return NULL;
	TRY_ALLOC(arena, ret->items, arena_array(arena, options->count + count, sizeof *ret->items));
	ret->count = 0;
	for (size_t i = 0; i < options->count; i++) {
		const char *p = options->items[i];

		for (size_t len; !is_one_word(p); p += len + 1) {
			len = word_length(p);
			TRY_ALLOC(arena, ret->items[ret->count], arena_strndup(arena, p, len));
			ret->count++;
		}
		ret->items[ret->count++] = p;
	}
	return NULL;
}
