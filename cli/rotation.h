/*
 * rotation.h - pictures of a rotation, shared by inspect, plan and compare.
 */
#ifndef RW_CLI_ROTATION_H
#define RW_CLI_ROTATION_H

#include "cli.h"

/* One B under a name; every B of a list under the name of its layers. */
void cli_show_rotation(cli *c, const char *name, const rw_json *group);
void cli_show_rotations(cli *c, const rw_json *groups);

/* The pairs' wavelengths on a logarithmic scale, with the windows marked; `ramp` shows how far each
   pair is interpolated. `bands` is the plan's array of {"pair","wavelength","ramp"}. */
void cli_show_bands(cli *c, const rw_json *bands, double native, double context);

/* The same bands made from the frequencies of a B, without a ramp. */
void cli_show_wavelengths(cli *c, const rw_json *group, double native, double context);

#endif
