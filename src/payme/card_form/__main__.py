"""`python -m payme.card_form`: make the script that is served from its source and the catalogue."""

from payme.card_form.module import FILE
from payme.card_form.packing import packaged

if __name__ == "__main__":
    FILE.write_text(packaged(), encoding="utf-8")
