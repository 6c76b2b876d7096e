/* The upper halves of the character sets of one byte: data for charset.c. */
#ifndef LURCHER_FORMAT_CHARSET_TABLES_H
#define LURCHER_FORMAT_CHARSET_TABLES_H

#include <stdint.h>

typedef uint16_t charset_table[128];

extern const charset_table charset_ibm866;
extern const charset_table charset_iso_8859_2;
extern const charset_table charset_iso_8859_3;
extern const charset_table charset_iso_8859_4;
extern const charset_table charset_iso_8859_5;
extern const charset_table charset_iso_8859_6;
extern const charset_table charset_iso_8859_7;
extern const charset_table charset_iso_8859_8;
extern const charset_table charset_iso_8859_10;
extern const charset_table charset_iso_8859_13;
extern const charset_table charset_iso_8859_14;
extern const charset_table charset_iso_8859_15;
extern const charset_table charset_iso_8859_16;
extern const charset_table charset_koi8_r;
extern const charset_table charset_koi8_u;
extern const charset_table charset_macintosh;
extern const charset_table charset_windows_874;
extern const charset_table charset_windows_1250;
extern const charset_table charset_windows_1251;
extern const charset_table charset_windows_1252;
extern const charset_table charset_windows_1253;
extern const charset_table charset_windows_1254;
extern const charset_table charset_windows_1255;
extern const charset_table charset_windows_1256;
extern const charset_table charset_windows_1257;
extern const charset_table charset_windows_1258;
extern const charset_table charset_x_mac_cyrillic;

#endif
