"""The QR code of a checkout link."""

import io
from collections.abc import Mapping

from payme.checkout.checked import Environment
from payme.checkout.links import link
from payme.errors.catalogue import Language
from payme.protocol import arguments


def qr_svg(
    merchant_id: str,
    account: Mapping[str, str | int],
    amount: int,
    *,
    language: Language | None = None,
    callback: str | None = None,
    callback_timeout: int | None = None,
    currency: str | int | None = None,
    environment: Environment = "production",
    base_url: str | None = None,
    scale: int = 4,
) -> str:
    """Draw the QR code of a checkout link.

    Args:
        merchant_id: As for `link`.
        account: As for `link`.
        amount: As for `link`.
        language: As for `link`.
        callback: As for `link`.
        callback_timeout: As for `link`.
        currency: As for `link`.
        environment: As for `link`.
        base_url: As for `link`.
        scale: Width of one module, in pixels.

    Returns:
        An `<svg>` element.

    Raises:
        InvalidArgument: As for `link`.
        ImportError: If segno is not installed: `pip install "payme-uz[qr]"`.
    """
    address = link(
        merchant_id,
        account,
        amount,
        language=language,
        callback=callback,
        callback_timeout=callback_timeout,
        currency=currency,
        environment=environment,
        base_url=base_url,
    )
    return _drawn(address, arguments.within("scale", scale, 1, 100))


def _drawn(address: str, scale: int) -> str:
    try:
        import segno
    except ModuleNotFoundError as error:
        raise ImportError(
            'a QR code needs segno, which is not installed: pip install "payme-uz[qr]"'
        ) from error
    drawing = io.BytesIO()
    # A white ground, so that it can be read on a dark page too.
    segno.make_qr(address, error="m").save(
        drawing, kind="svg", scale=scale, light="white", xmldecl=False, nl=False
    )
    return drawing.getvalue().decode()
