/* examples/bayernid/users.c: the file of users. */
#include "examples/bayernid/users.h"

#include <fcntl.h>

#include "examples/token.h"

static const char *check_hash(const void *value)
{
	const char *text = *(const char *const *)value;

	return str_starts_with(text, "scrypt:") ? NULL
						: "is not a hash; make one with bayernid --hash-password";
}

/* clang-format off */
static const struct type t_hash = STRING_CHECKED("password hash", check_hash);
static const struct field user_fields[] = {
	FIELD(struct user, "user",     user,     t_nonempty, REQUIRED, NULL),
	FIELD(struct user, "subject",  subject,  t_nonempty, REQUIRED, NULL),
	FIELD(struct user, "name",     name,     t_nonempty, REQUIRED, NULL),
	FIELD(struct user, "role",     role,     t_role,     REQUIRED, NULL),
	FIELD(struct user, "loa",      loa,      t_loa,      REQUIRED, NULL),
	FIELD(struct user, "password", password, t_hash,     REQUIRED, NULL),
	{0}
};
static const struct type t_user = OBJECT_STRICT("user", struct user, user_fields);
static const struct type t_user_list = ARRAY_OF_MAX(t_user, 10000);
static const struct field users_fields[] = {
	FIELD(struct users, "users", list, t_user_list, REQUIRED, NULL),
	{0}
};
static const struct type t_users = OBJECT_STRICT("users", struct users, users_fields);
/* clang-format on */

static err *check_unique(const void *document, struct decoder *d)
{
	const struct users *users = document;

	for (size_t i = 0; i < users->list.count; i++) {
		const struct user *user = &users->list.items[i];

		if (users_find(users, user->user) != user)
			return decoder_fail(d, "users", "user '%s' comes twice", user->user);
		if (users_find_subject(users, user->subject) != user)
			return decoder_fail(d, "users", "subject '%s' comes twice", user->subject);
	}
	return NULL;
}

err *users_load(struct arena *arena, const char *path, struct users *ret)
{
	static const struct rule rules[] = { { "users and subjects are unique", check_unique }, { 0 } };
	struct decoder d = { .arena = arena, .name = path };

	return decode_file(&d, &t_users, rules, AT_FDCWD, path, ret);
}

const struct user *users_find(const struct users *users, const char *name)
{
	for (size_t i = 0; i < users->list.count; i++)
		if (str_equal(users->list.items[i].user, name))
			return &users->list.items[i];
	return NULL;
}

const struct user *users_find_subject(const struct users *users, const char *subject)
{
	for (size_t i = 0; i < users->list.count; i++)
		if (str_equal(users->list.items[i].subject, subject))
			return &users->list.items[i];
	return NULL;
}
