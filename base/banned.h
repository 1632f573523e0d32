/* base/banned.h: calls that this project does not make, as compile errors that name the call.
 * Included by base/macro.h, so by every file. Instead: struct str, snprintf, memcpy with a checked
 * length, strtok_r, str_to_u64(), posix_spawn, mkstemp. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANNED(func) sorry_##func##_is_banned_see_base_banned_h

#undef strcpy
#define strcpy(a, b) BANNED(strcpy)
#undef strcat
#define strcat(a, b) BANNED(strcat)
#undef strncpy
#define strncpy(a, b, n) BANNED(strncpy)
#undef strncat
#define strncat(a, b, n) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef strtok
#define strtok(a, b) BANNED(strtok)
#undef atoi
#define atoi(a) BANNED(atoi)
#undef atol
#define atol(a) BANNED(atol)
#undef system
#define system(a) BANNED(system)
#undef mktemp
#define mktemp(a) BANNED(mktemp)
