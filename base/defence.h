/* base/defence.h: defences against known attacks, which a build for the tests can leave out one by one.
 *
 * In every other build DEFENCE() is the constant 1: neither a name nor a choice is in the program. With
 * MODE=undefended it is false for the names that the environment variable STUBE_UNDEFENDED lists,
 * separated by commas. So tests show that an attack succeeds without the defence that stops it:
 * tests/cli/runtime-attacks-undefended.bats, docs/decisions/0150-attacks-that-succeed.md. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef UNDEFENDED
bool defence_stands(const char *name);
/* "STUBE_UNDEFENDED=...", which the runtime hands on to stube-init; NULL when it is not set. Borrowed. */
char *defence_environment(void);
/* In place of the sealed image: the plain file that STUBE_UNDEFENDED_IMAGE names, or -1. The caller's. */
int defence_plain_image(void);
#define DEFENCE(name) defence_stands(name)
#else
#define DEFENCE(name) 1

#define defence_environment() NULL
#define defence_plain_image() (-1)
#endif
