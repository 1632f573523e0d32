/* tests/fuzz/runtime_words.c: options of mounts, signals, environments, answers of CRIU: the first byte says
 * which. */
#include "runtime/criu-wire.h"
#include "runtime/mount-options.h"
#include "runtime/plan-config.h"
#include "runtime/signals.h"
#include "tests/fuzz/parsers.h"

/* The lines of a text, in place. */
static struct strings lines_of(struct arena *arena, char *text)
{
	struct strings lines = { 0 };
	size_t count = 1;
	char *save = NULL;

	for (const char *p = text; *p; p++)
		count += *p == '\n';
	lines.items = arena_array(arena, count, sizeof *lines.items);
	for (char *line = lines.items ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		lines.items[lines.count++] = line;
	return lines;
}

/* Words of their own hold every byte but the commas between them. */
static void mount(struct arena *arena, char *text)
{
	struct strings options = lines_of(arena, text), words = { 0 };
	struct mount_spec spec = { 0 };
	size_t before = 0, after = 0;

	err *e = mount_words(arena, &options, &words);
	for (size_t i = 0; i < options.count; i++)
		before += strlen(options.items[i]) + 1;
	for (size_t i = 0; i < words.count; i++)
		after += strlen(words.items[i]) + 1;
	if (!e && before != after)
		abort();
	if (!e)
		e = mount_spec_parse(words.items, words.count, &spec);
	if (!e && spec.data.count > MOUNT_DATA_MAX)
		abort();
	err_free(e);
}

static void number_of_signal(struct arena *arena, char *text)
{
	int number = 0;

	(void)arena;
	err *e = signal_parse(text, &number);
	if (!e && (number < 0 || number > 64))
		abort();
	err_free(e);
}

/* Each name once, and what was said last. */
static void environment(struct arena *arena, char *text)
{
	struct strings entries = lines_of(arena, text), env = { 0 }, once = { 0 };

	env.items = arena_array(arena, entries.count + 1, sizeof *env.items);
	for (size_t i = 0; env.items && i < entries.count; i++)
		if (strchr(entries.items[i], '='))
			env.items[env.count++] = entries.items[i];
	if (!env.items || env.count > 256)
		return;
	err *e = plan_env_unique(arena, &env, &once);
	for (size_t i = 0; !e && i < once.count; i++) {
		size_t len = strcspn(once.items[i], "=") + 1;

		for (size_t k = 0; k < once.count; k++)
			if (k != i && strncmp(once.items[k], once.items[i], len) == 0)
				abort();
		for (size_t k = env.count; k-- > 0;) {
			if (strncmp(env.items[k], once.items[i], len) != 0)
				continue;
			if (env.items[k] != once.items[i])
				abort();
			break;
		}
	}
	err_free(e);
}

static void reply(const uint8_t *bytes, size_t len)
{
	struct criu_reply answer = { 0 };
	err *e = criu_reply_decode(bytes, len, &answer);

	if (!e && (!memchr(answer.script, '\0', sizeof answer.script) ||
		   !memchr(answer.message, '\0', sizeof answer.message)))
		abort();
	err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static fuzz_text *const texts[] = { mount, number_of_signal, environment };

	return fuzz_one_of(bytes, len, 1 << 14, texts, ARRAY_LEN(texts), reply);
}
