"""Refusals of `catalog`."""

from __future__ import annotations

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Stale, Unprocessable


class UnknownSku(NotFound):
    code = "unknown-sku"
    title = "No such SKU"
    title_ru = "Нет такого артикула"
    detail = "There is no variant with the SKU {sku}. SKUs are exact, capital letters included."
    detail_ru = "Нет варианта с артикулом {sku}. Артикул нужен точный, с учётом регистра."
    members_schema = {"sku": str}


class UnknownProduct(NotFound):
    code = "unknown-product"
    title = "No such product"
    title_ru = "Нет такого товара"
    detail = "There is no published product at {slug}."
    detail_ru = "Нет опубликованного товара {slug}."
    members_schema = {"slug": str}


class UnknownCategory(NotFound):
    code = "unknown-category"
    title = "No such category"
    title_ru = "Нет такой категории"
    detail = "There is no category with the code {category}."
    detail_ru = "Нет категории с кодом {category}."
    members_schema = {"category": str}


class UnknownCode(NotFound):
    code = "unknown-code"
    title = "Nothing carries this code"
    title_ru = "Такой код не найден"
    detail = "{data} is no barcode, GS1 element string, Digital Link or SKU of ours."
    detail_ru = "{data} — не штрихкод, не строка GS1, не Digital Link и не артикул из каталога."
    members_schema = {"data": str}


class BadCheckDigit(Unprocessable):
    code = "bad-check-digit"
    title = "The check digit is wrong"
    title_ru = "Неверная контрольная цифра"
    detail = "The last digit of {data} does not fit the others: scan it again or type it again."
    detail_ru = "Последняя цифра {data} не сходится с остальными: отсканируйте или введите код ещё раз."
    members_schema = {"data": str}


class BadProduct(Unprocessable):
    code = "bad-product"
    title = "These product data contradict themselves"
    title_ru = "Данные товара противоречивы"
    detail = "{field}: {reason}"
    detail_ru = "{field}: {reason}"
    members_schema = {"sku": str, "field": str, "reason": str}


class ProductChanged(Stale):
    code = "product-changed"
    title = "The product has changed since you read it"
    title_ru = "Товар изменился"
    detail = "You saw version {seen}, now it is {version}. Read it again and repeat the change."
    detail_ru = "Вы видели версию {seen}, теперь {version}. Прочитайте данные снова и повторите изменение."
    members_schema = {"seen": int, "version": int}


class SkuElsewhere(Conflict):
    code = "sku-elsewhere"
    title = "The SKU belongs to another product"
    title_ru = "Артикул принадлежит другому товару"
    detail = "{sku} is a variant of {slug}. A SKU never moves to another product: orders and stock point at it."
    detail_ru = "{sku} — вариант товара {slug}. Артикул не переносят: на него ссылаются заказы и остатки."
    members_schema = {"sku": str, "slug": str}


class BarcodeElsewhere(Conflict):
    code = "barcode-elsewhere"
    title = "The barcode belongs to another variant"
    title_ru = "Штрихкод принадлежит другому варианту"
    detail = "The barcode {barcode} stands for {sku}. Remove it there first."
    detail_ru = "Штрихкод {barcode} обозначает {sku}. Сначала уберите его там."
    members_schema = {"barcode": str, "sku": str}


class WholeChainOnly(Forbidden):
    code = "whole-chain-only"
    title = "Only for the whole chain"
    title_ru = "Только для всей сети"
    detail = "Catalog and prices are the same everywhere: changing them needs {permission} for all locations."
    detail_ru = "Каталог и цены едины для всей сети: нужно право {permission} для всех мест."
    members_schema = {"permission": str}
