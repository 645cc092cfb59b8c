"""Smooth calibration error: no bins, and a bandwidth that the data choose."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray

CELLS = 8192
HALVINGS = 40


class SmoothError(NamedTuple):
    """A smooth calibration error, and the bandwidth it was found at: the two are equal."""

    value: float
    bandwidth: float


def smooth_calibration_error(
    claimed: ArrayLike, happened: ArrayLike, weights: ArrayLike | None = None
) -> SmoothError:
    """Smooth expected calibration error at its own bandwidth (Błasiok and Nakkiran 2024).

    The bandwidth σ* at which the error equals the bandwidth, smECE_σ* = σ*: as σ grows the error
    falls, so there is one. For display: like binned errors it is above 0 for a calibrated model,
    by less.

    Args:
        claimed: (N,) probabilities in [0, 1], N >= 1.
        happened: (N,) 0 or 1.
        weights: (N,) of the rows, at least 0; None for equal ones.

    Returns:
        Error and bandwidth, both in [0, 1].

    Raises:
        ValueError: for claims outside [0, 1], shapes that do not fit, or no weight at all.

    >>> round(smooth_calibration_error([0.7] * 10, [1] * 5 + [0] * 5).value, 6)
    0.2
    """
    spectrum = _spectrum(_residuals(claimed, happened, weights))
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _smoothed(spectrum, middle) > middle:
            low = middle
        else:
            high = middle
    return SmoothError(_smoothed(spectrum, high), high)


def smooth_error_at(
    claimed: ArrayLike, happened: ArrayLike, bandwidth: float, weights: ArrayLike | None = None
) -> float:
    """Smooth calibration error at one bandwidth σ: ∫ |mean of (y - p) K_σ(t, p)| dt over [0, 1].

    K is the Gaussian kernel reflected at 0 and 1, so no mass leaves the interval. Claims are split
    between the two nearest of 8,192 cell centres, h apart; there the reflected Gaussian is a factor
    exp(-(πkσ)²/2) on the k-th cosine. Splitting keeps each claim's mean and adds at most h²/4 to
    its variance, so that the error is off by at most E|y - p| · (h²/8) · ∫|K''| = 0.13 (h/σ)²
    E|y - p|, and as much again for the sum that stands for the integral: below 10⁻⁴ for σ above
    0.005, and 10⁻⁶ for σ above 0.05.

    Args:
        claimed: (N,) probabilities in [0, 1], N >= 1.
        happened: (N,) 0 or 1.
        bandwidth: standard deviation of the kernel, at least 0.
        weights: (N,) of the rows, at least 0; None for equal ones.

    Raises:
        ValueError: as `smooth_calibration_error`, and for a negative bandwidth.

    >>> round(smooth_error_at([0.2, 0.8], [1, 0], 0.01), 6)  # each is off by 0.8
    0.8
    >>> round(smooth_error_at([0.2, 0.8], [1, 0], 1.0), 2)  # blurred, they cancel
    0.01
    """
    if not bandwidth >= 0:
        raise ValueError(f"a bandwidth is at least 0, got {bandwidth}")
    return _smoothed(_spectrum(_residuals(claimed, happened, weights)), bandwidth)


def _residuals(claimed: ArrayLike, happened: ArrayLike, weights: ArrayLike | None) -> FloatArray:
    """(CELLS,) what happened less what was claimed, as a share of all weight, by cell."""
    said, was = np.asarray(claimed, np.float64), np.asarray(happened, np.float64)
    if said.ndim != 1 or said.shape != was.shape:
        raise ValueError(f"claims and outcomes are one row each, got {said.shape}, {was.shape}")
    if not ((said >= 0) & (said <= 1)).all():
        raise ValueError("claims are numbers in [0, 1]")
    weight = np.ones(said.size) if weights is None else np.asarray(weights, np.float64)
    if weight.shape != said.shape or not weight.sum() > 0:
        raise ValueError("weights are one per row, and some are above 0")
    place = said * CELLS + 0.5
    left = place.astype(np.int64)  # counted from the centre below 0, the mirror image of the first
    off = (was - said) * weight / weight.sum()
    right = off * (place - left)
    wide = np.bincount(left, off - right, minlength=CELLS + 2)
    wide[1:] += np.bincount(left, right, minlength=CELLS + 1)
    # What lies beyond the outermost centres is reflected into their cells.
    wide[1] += wide[0]
    wide[-2] += wide[-1]
    return np.asarray(wide[1:-1], np.float64)


def _spectrum(cells: FloatArray) -> FloatArray:
    from scipy.fft import dct

    return np.asarray(dct(cells, type=2, norm="ortho"), np.float64)


def _smoothed(spectrum: FloatArray, bandwidth: float) -> float:
    from scipy.fft import idct

    damping = np.exp(-0.5 * (np.pi * bandwidth * np.arange(spectrum.size)) ** 2)
    return float(np.abs(idct(spectrum * damping, type=2, norm="ortho")).sum())
