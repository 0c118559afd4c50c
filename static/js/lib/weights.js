// Weights on a logarithmic slider: its value is the exponent of ten.

export const toSlider = (weight) => (weight > 0 ? Math.log10(weight) : null);

// As text for a field. Near 1 it snaps to 1; two digits below, three above.
export function fromSlider(exponent) {
  const weight = 10 ** exponent;
  if (Math.abs(weight - 1) < 0.03) return "1";
  return String(Number(weight.toPrecision(weight >= 1 ? 3 : 2)));
}
